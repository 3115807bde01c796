"""TensorRT: the key of an engine, the errors without it, and, where it is installed, that it computes the same."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from emocolor.effects.style import MIN_INPUT_SIDE
from emocolor.errors import MissingDependencyError
from engines.cache import EngineCache
from engines.runners.selection import BACKENDS
from engines.shapes import inputs_of
from engines.spec import (
    colorizer_names,
    emotion_net_names,
    read_colorizer_spec,
    read_emotion_spec,
    read_style_spec,
    style_net_names,
)

torch = pytest.importorskip("torch", reason="torch is not installed; TensorRT engines are built from its nets")
pytest.importorskip("onnx", reason="onnx is not installed; it reads the weights back")

from engines.runners.tensorrt import TensorRtRunner, build_plan, machine_facts, open_tensorrt, tensorrt_key  # noqa: E402

SPECS = [
    *map(read_emotion_spec, emotion_net_names()),
    *map(read_colorizer_spec, colorizer_names()),
    *map(read_style_spec, style_net_names()),
]
MACHINE = {
    "TensorRT": "10.15.1",
    "Torch-TensorRT": "2.11.0",
    "torch": "2.11.0+cu130",
    "GPU": "NVIDIA H200",
    "compute capability": "9.0",
}
TOLERANCE = {"ab": (0.05, 1.0), "confidence": (1e-3, 0.02), "painted": (1, 4)}
"""Largest difference from float32 on the CPU, of f32 and f16: in CIELAB units, in codes; else of a probability."""


def noise(spec, length):
    random = np.random.default_rng(0)
    return {
        one.name: random.integers(0, 256, one.shape(length), np.uint8)
        if one.dtype is np.uint8
        else random.random(one.shape(length), np.float32) + np.float32(0.1)
        for one in inputs_of(spec)
    }


@pytest.mark.parametrize("fact", MACHINE)
def test_another_machine_or_version_is_another_engine(fact):
    spec = read_emotion_spec("tiny")
    here, there = (tensorrt_key(spec, "f16", machine) for machine in (MACHINE, MACHINE | {fact: "another"}))
    assert here.file_name != there.file_name
    assert here.facts[fact] == MACHINE[fact]


def test_other_weights_and_precisions_are_other_engines():
    spec = read_emotion_spec("tiny")
    keys = [tensorrt_key(spec, "f16", MACHINE), tensorrt_key(spec, "f32", MACHINE)]
    keys += [
        tensorrt_key(replace(spec, sha256="0" * 64), "f32", MACHINE),
        tensorrt_key(read_emotion_spec("s0"), "f32", MACHINE),
    ]
    assert len({key.file_name for key in keys}) == 4


def test_the_sizes_that_an_engine_is_built_for_are_in_its_key():
    sizes = tensorrt_key(read_style_spec("fast"), "f16", MACHINE).facts["sizes"]
    assert sizes == f"rgb 1x3x{MIN_INPUT_SIDE}x{MIN_INPUT_SIDE}/1x3x360x640/1x3x2560x2560, mixture 1x8"
    sizes = tensorrt_key(read_emotion_spec("tiny"), "f16", MACHINE).facts["sizes"]
    assert sizes == "faces 1x1x48x48/1x1x48x48/8x1x48x48, mask_0 1x256/10x256/64x256, mask_1 1x128/10x128/64x128"


@pytest.mark.parametrize("what", [machine_facts, lambda: TensorRtRunner(b"", read_emotion_spec("tiny"))])
def test_without_tensorrt_the_extra_is_named(what, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingDependencyError, match=r"tensorrt cannot be imported .*emocolor-stream\[gpu\]"):
        what()


def test_without_torch_tensorrt_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    with pytest.raises(MissingDependencyError, match=r"torch_tensorrt cannot be imported .*emocolor-stream\[gpu\]"):
        build_plan(read_emotion_spec("tiny"), "f32")


def test_it_comes_first_on_a_gpu():
    assert [one.name for one in BACKENDS if one.device == "cuda"] == ["TensorRT", "torch.compile", "torch"]


@pytest.mark.tensorrt
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("precision", ["f32", "f16"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_an_engine_agrees_with_the_cpu(spec, precision, tmp_path):
    cache = EngineCache(tmp_path)
    built, kept = (open_tensorrt(spec, precision, cache) for _ in range(2))
    assert len(cache.entries()) == 1
    (on_cpu,) = (one.open(spec, 1, "f32") for one in BACKENDS if one.name == "OpenVINO")
    for length in (lambda axis: axis.least, lambda axis: axis.usual, lambda axis: axis.least + 2 * axis.step):
        inputs = noise(spec, length)
        wanted = on_cpu.run(inputs)
        for runner in (built, kept, kept, kept):  # plainly, then captured, then replayed
            found = runner.run(inputs)
            assert found.keys() == wanted.keys()
            for name, value in wanted.items():
                exact, coarse = TOLERANCE.get(name, (1e-3, 0.02))
                assert (found[name].dtype, found[name].shape) == (value.dtype, value.shape)
                assert np.abs(found[name].astype(float) - value).max() <= (exact if precision == "f32" else coarse)


@pytest.mark.slow
def test_where_tensorrt_is_promised_its_absence_is_a_failure(tmp_path):
    """As REQUIRE_GPU=1 does for a GPU."""
    try:
        import torch_tensorrt  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("TensorRT is installed")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-m", "tensorrt", "-k", "tiny"]
    environment = {"PATH": "/usr/bin:/bin", "REQUIRE_TENSORRT": "1", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False, env=environment)
    assert done.returncode == 1
    assert "REQUIRE_TENSORRT=1, but" in done.stdout
    assert "2 failed" in done.stdout or "2 error" in done.stdout
