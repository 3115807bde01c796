"""The device that is asked for is used or refused; torch is imported only where there may be a GPU."""

import importlib.util
import subprocess
import sys

import pytest

from emocolor.errors import EngineError, MissingDependencyError
from engines.runners.devices import check_device, exact_precision, has_nvidia_driver, wants_cuda

no_driver = pytest.mark.skipif(has_nvidia_driver(), reason="there may be an NVIDIA GPU, which torch is asked about")


def test_the_cpu_is_always_there():
    assert not wants_cuda("cpu")
    assert not check_device("cpu", "f32", "bf16", "auto")


def test_half_floats_are_for_gpus():
    with pytest.raises(EngineError, match="f16 is for GPUs"):
        check_device("cpu", "f32", "f16")


def test_auto_is_float32():
    assert exact_precision("auto") == "f32"
    assert exact_precision("bf16") == "bf16"


@no_driver
def test_auto_is_the_cpu_without_a_driver_and_does_not_import_torch():
    assert not wants_cuda("auto")
    script = (
        "import sys; from engines.runners.devices import wants_cuda; "
        "wants_cuda('auto'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


def test_a_gpu_that_is_asked_for_and_absent_is_an_error():
    torch = pytest.importorskip("torch", reason="torch is not installed; it looks for GPUs")
    pytest.importorskip("onnx", reason="onnx is not installed; the GPU needs it")
    if torch.cuda.is_available():
        pytest.skip("there is an NVIDIA GPU")
    with pytest.raises(EngineError, match=r"cuda cannot be used: torch .* finds no NVIDIA GPU\. Check the driver"):
        wants_cuda("cuda")


def test_without_torch_the_extra_is_named(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find_spec(name))
    with pytest.raises(MissingDependencyError, match=r"needs torch.*: pip install 'emocolor-stream\[gpu\]'"):
        wants_cuda("cuda")
