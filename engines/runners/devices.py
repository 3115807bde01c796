"""Where nets run and in which arithmetic: what may be asked for, and whether this machine has it."""

import importlib.util
import sys
from pathlib import Path
from typing import Final, Literal

from emocolor.errors import EngineError, MissingDependencyError
from emocolor.protocols import Precision

Device = Literal["auto", "cpu", "cuda"]
"""``auto`` is an NVIDIA GPU if torch can use one, else the CPU."""
PrecisionChoice = Literal["auto", "f32", "bf16", "f16"]
"""``auto`` is f32 everywhere, so results are the same on every machine of a kind. On GPUs it becomes f16, net by net,
once parity has been measured there."""

TORCH_PACKAGES: Final = ("torch", "onnx")
"""What every runtime for GPUs needs: torch runs or exports the net, onnx reads its weights."""


def exact_precision(choice: PrecisionChoice) -> Precision:
    """The precision that a choice stands for."""
    return "f32" if choice == "auto" else choice


def check_device(device: Device, *precisions: PrecisionChoice) -> bool:
    """Whether nets of these precisions run on the GPU.

    Raises ``MissingDependencyError`` or ``EngineError`` if the device or a precision is not available.
    """
    cuda = wants_cuda(device)
    if not cuda and "f16" in precisions:
        raise EngineError("f16 is for GPUs; on the CPU there are f32 and bf16.")
    return cuda


def wants_cuda(device: Device) -> bool:
    """Whether nets run on the GPU.

    Raises ``MissingDependencyError`` or ``EngineError`` if ``cuda`` was asked for and is not available; the message
    tells what was looked for.
    """
    if device == "cpu":
        return False
    if device == "auto" and not has_nvidia_driver():
        return False
    lacking = [name for name in TORCH_PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        if device == "cuda":
            raise MissingDependencyError(
                f"The device cuda needs {' and '.join(lacking)}: pip install 'emocolor-stream[gpu]'."
            )
        return False
    import torch  # takes seconds, which those who use the CPU need not pay

    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU alone"
        raise EngineError(
            f"The device cuda cannot be used: torch {torch.__version__} is built for {built} and finds no NVIDIA GPU. "
            "Check the driver (nvidia-smi) and the build of torch, or choose the device auto."
        )
    return bool(found)


def has_nvidia_driver() -> bool:
    """Whether there may be an NVIDIA driver: a cheap check that spares most machines importing torch.

    Windows has no device file to look for, so there the answer is yes.
    """
    return sys.platform == "win32" or any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg"))
