"""Which backend a net runs on: an NVIDIA GPU through torch where there is one, else the CPU through OpenVINO."""

import importlib.util
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

from numpy.typing import NDArray

from emocolor.errors import EngineError, MissingDependencyError

from .spec import ColorizerSpec, NetSpec, Precision, StyleSpec

Device = Literal["auto", "cpu", "cuda"]

log = logging.getLogger(__name__)


class OutOfMemory(EngineError):
    """The device has too little memory for these inputs; smaller ones may still do."""


class Runner(Protocol):
    """One net, ready to run. Not for two threads at once."""

    backend: str
    """Runtime and device, for people to read."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the names, shapes and types that the net's exporter states.

        Raises ``OutOfMemory``.
        """
        ...


def open_runner(
    spec: NetSpec | ColorizerSpec | StyleSpec,
    *,
    device: Device = "auto",
    threads: int = 1,
    precision: Precision = "f32",
) -> Runner:
    """Make a net ready on ``device``; ``threads`` are those of the CPU. Raises as :func:`check_device` does."""
    runner = _on_gpu(spec, precision) if check_device(device, precision) else _on_cpu(spec, threads, precision)
    log.info("net %s on %s, %s", spec.name, runner.backend, precision)
    return runner


def check_device(device: Device, *precisions: Precision) -> bool:
    """Whether nets of these precisions go to the GPU.

    Raises ``MissingDependencyError`` and ``EngineError`` where the device or a precision cannot be had.
    """
    cuda = wants_cuda(device)
    if not cuda and "f16" in precisions:
        raise EngineError("f16 is for GPUs; on the CPU there are f32 and bf16.")
    return cuda


def wants_cuda(device: Device) -> bool:
    """Whether nets go to the GPU: ``auto`` takes one where torch can use it.

    Raises ``MissingDependencyError`` or ``EngineError``, saying what was looked for, where ``cuda`` cannot be had.
    """
    if device == "cpu":
        return False
    if device == "auto" and not has_nvidia_driver():
        return False
    lacking = [name for name in ("torch", "onnx") if importlib.util.find_spec(name) is None]
    if lacking:
        if device == "cuda":
            raise MissingDependencyError(
                f"--device cuda needs {' and '.join(lacking)}: pip install 'emocolor-stream[gpu]'."
            )
        return False
    import torch

    found = torch.cuda.is_available()
    if device == "cuda" and not found:
        built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "the CPU alone"
        raise EngineError(
            f"--device cuda: torch {torch.__version__} is built for {built} and finds no NVIDIA GPU. "
            "Check the driver (nvidia-smi) and the build of torch, or leave --device at auto."
        )
    return bool(found)


def has_nvidia_driver() -> bool:
    """A cheap look before torch, which takes seconds to import: the driver's device, or Windows, where it has none."""
    return sys.platform == "win32" or any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg"))


def _on_gpu(spec: NetSpec | ColorizerSpec | StyleSpec, precision: Precision) -> Runner:
    from .nets.graphs import graph_of
    from .torch_runner import TorchRunner

    return TorchRunner(graph_of(spec), device="cuda", precision=precision)


def _on_cpu(spec: NetSpec | ColorizerSpec | StyleSpec, threads: int, precision: Precision) -> Runner:
    from .openvino_runner import OpenVinoRunner

    return OpenVinoRunner(spec.weights, threads=threads, precision=precision)
