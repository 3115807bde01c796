"""Compiled torch computes what eager torch computes; a compiler that is missing is an error of one line."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.shapes import Axis, Input
from engines.spec import read_style_spec, style_net_names

torch = pytest.importorskip("torch", reason="torch is not installed; nets run on OpenVINO alone")
pytest.importorskip("onnx", reason="onnx is not installed; graphs read weights with it")

from engines.nets.graphs import Graph, graph_of  # noqa: E402
from engines.runners.torch import TorchRunner  # noqa: E402

INPUTS = (Input(name="x", dtype=np.float32, axes=(Axis(name="N", least=1, usual=3, most=8), 4)),)


def small_graph():
    torch.manual_seed(0)
    return Graph(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()).eval(), ("x",), ("y",))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses what torch deprecates
def test_a_compiled_net_computes_the_same_at_any_size():
    compiled = TorchRunner(small_graph(), device="cpu", compile_for=INPUTS)
    eager = TorchRunner(small_graph(), device="cpu")
    assert (compiled.backend, eager.backend) == ("torch.compile cpu", "torch cpu")
    for count in (3, 2, 8):
        x = np.random.default_rng(count).random((count, 4), np.float32)
        assert np.abs(compiled.run({"x": x})["y"] - eager.run({"x": x})["y"]).max() < 1e-6


WITHOUT_COMPILER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_torch import INPUTS, small_graph
from emocolor.errors import EngineError
from engines.runners.torch import TorchRunner
try:
    TorchRunner(small_graph(), device="cpu", compile_for=INPUTS)
except EngineError as error:
    print(error)
"""


@pytest.mark.slow
def test_without_a_compiler_the_error_is_one_line(tmp_path):
    environment = os.environ | {"CXX": "/nonexistent/c++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WITHOUT_COMPILER, os.path.dirname(__file__)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("torch.compile fails: ")
    assert len(done.stdout.splitlines()) == 1


@pytest.fixture(scope="module")
def portrait():
    """sRGB (96, 128, 3) uint8."""
    stored = cv2.imread(str(Path(__file__).parents[3] / "stream" / "demo" / "assets" / "portrait.jpg"))
    return cv2.cvtColor(cv2.resize(stored, (128, 96), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(("precision", "largest", "mean"), [("f16", 2, 0.1), ("bf16", 10, 0.6)])
@pytest.mark.parametrize("name", style_net_names())
def test_style_nets_paint_alike_with_half_the_bits(name, precision, largest, mean, portrait):
    """Errors in codes of 255. Autocast keeps some operations in float32, among them means over a whole layer."""
    graph = graph_of(read_style_spec(name))
    whole, short = TorchRunner(graph, device="cpu"), TorchRunner(graph, device="cpu", precision=precision)
    for style in range(7):
        inputs = {"rgb": portrait[None], "mixture": np.eye(8, dtype=np.float32)[[style]]}
        wanted, found = (runner.run(inputs)["painted"].astype(int) for runner in (whole, short))
        assert np.abs(found - wanted).max() <= largest, style
        assert np.abs(found - wanted).mean() <= mean, style
