"""torch compiled gives what torch gives, and where it cannot be compiled that is said."""

import os
import subprocess
import sys

import numpy as np
import pytest

from engines.shapes import Axis, Input

torch = pytest.importorskip("torch", reason="torch is not installed; nets run on OpenVINO alone")
pytest.importorskip("onnx", reason="onnx is not installed; graphs read weights with it")

from engines.nets.graphs import Graph  # noqa: E402
from engines.torch_runner import TorchRunner  # noqa: E402

INPUTS = (Input(name="x", dtype=np.float32, axes=(Axis(name="N", least=1, usual=3, most=8), 4)),)


def small_graph():
    torch.manual_seed(0)
    return Graph(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU()).eval(), ("x",), ("y",))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler uses what torch deprecates
def test_compiled_it_gives_the_same_at_any_size():
    compiled = TorchRunner(small_graph(), device="cpu", compile_for=INPUTS)
    eager = TorchRunner(small_graph(), device="cpu")
    assert (compiled.backend, eager.backend) == ("torch.compile cpu", "torch cpu")
    for count in (3, 2, 8):
        x = np.random.default_rng(count).random((count, 4), np.float32)
        assert np.abs(compiled.run({"x": x})["y"] - eager.run({"x": x})["y"]).max() < 1e-6


WITHOUT_COMPILER = """
import sys
sys.path.insert(0, sys.argv[1])
from test_torch_runner import INPUTS, small_graph
from emocolor.errors import EngineError
from engines.torch_runner import TorchRunner
try:
    TorchRunner(small_graph(), device="cpu", compile_for=INPUTS)
except EngineError as error:
    print(error)
"""


@pytest.mark.slow
def test_without_a_compiler_that_is_said(tmp_path):
    environment = os.environ | {"CXX": "/nonexistent/c++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", WITHOUT_COMPILER, os.path.dirname(__file__)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("torch.compile fails: ")
    assert len(done.stdout.splitlines()) == 1
