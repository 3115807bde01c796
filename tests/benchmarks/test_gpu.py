"""The work that the GPU benchmark counts, on nets whose work is known; without a GPU it refuses to run."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx", reason="onnx is not installed; graphs read weights with it")

from engines.nets.graphs import graph_of  # noqa: E402
from engines.shapes import check_inputs, inputs_of  # noqa: E402
from engines.spec import read_colorizer_spec, read_emotion_spec, read_style_spec  # noqa: E402
from tests.benchmarks.gpu import usual_inputs  # noqa: E402
from tests.benchmarks.net_work import Work, work_of  # noqa: E402


def test_the_work_of_a_product_is_counted():
    net = torch.nn.Sequential(torch.nn.Linear(64, 32, bias=False), torch.nn.ReLU())
    work = work_of(net, [torch.ones(10, 64)])
    weights, given, found = 4 * 64 * 32, 4 * 10 * 64, 4 * 10 * 32
    assert work.flops == 2 * 10 * 64 * 32
    assert work.least_bytes == weights + given + found
    assert work.eager_bytes == weights + given + found + 2 * found


def test_a_convolution_counts_two_for_each_pair():
    work = work_of(torch.nn.Conv2d(3, 8, 5, bias=False), [torch.ones(1, 3, 20, 20)])
    assert work.flops == 2 * 8 * 16 * 16 * 3 * 25


@pytest.mark.parametrize(("flops", "moved", "bound"), [(10**12, 10**6, "computing"), (10**6, 10**9, "memory")])
def test_what_binds_is_the_slower_of_both(flops, moved, bound):
    assert Work(flops=flops, least_bytes=moved, eager_bytes=moved).bound(50.0, 2000.0) == bound


def test_computing_binds_from_the_ridge_on():
    """50 TFLOP/s over 2000 GB/s are 25 operations a byte."""
    assert Work(flops=26_000, least_bytes=1000, eager_bytes=0).bound(50.0, 2000.0) == "computing"
    assert Work(flops=24_000, least_bytes=1000, eager_bytes=0).bound(50.0, 2000.0) == "memory"


@pytest.mark.parametrize("spec", [read_emotion_spec("ours"), read_colorizer_spec("film"), read_style_spec("fast")])
def test_usual_inputs_are_what_the_net_takes(spec):
    check_inputs(spec.name, inputs_of(spec), usual_inputs(spec))


def test_a_shipped_net_is_counted():
    spec = read_emotion_spec("ours")
    graph, inputs = graph_of(spec), usual_inputs(spec)
    work = work_of(graph.module, [torch.from_numpy(inputs[name]) for name in graph.inputs])
    weights = sum(one.numel() for one in graph.module.parameters())
    assert work.flops > 2 * weights
    assert 4 * weights < work.least_bytes < work.eager_bytes


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_refuses_in_one_line():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.gpu"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("No GPU to measure: The device cuda cannot be used: torch ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.gpu
def test_a_gpu_has_peaks():
    from tests.benchmarks.net_work import peaks

    found = peaks()
    assert found["bf16_tflops"] > found["f32_tflops"] > 1
    assert found["gb_per_s"] > 50
    assert np.isfinite(list(found.values())).all()
