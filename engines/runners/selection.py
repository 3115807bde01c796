"""Which runtime a net runs in: the first of those below that the machine has and that can run it.

On an NVIDIA GPU TensorRT, else torch compiled with CUDA graphs, else torch as it is; on the CPU OpenVINO, else ONNX
Runtime. Where it is not the first, a warning says which one it is and why.
"""

import importlib.util
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from numpy.typing import NDArray

from emocolor.errors import EmocolorError, EngineError, MissingDependencyError
from emocolor.protocols import Precision

from ..cache import user_cache
from ..shapes import AnySpec, check_inputs, inputs_of

Device = Literal["auto", "cpu", "cuda"]
PrecisionChoice = Literal["auto", "f32", "bf16", "f16"]
"""``auto`` is f32 everywhere: the same figures on every machine of a kind. It becomes f16 on GPUs, net by net, where
parity has been measured there."""

log = logging.getLogger(__name__)


class Runner(Protocol):
    """One net, ready to run. Not for two threads at once."""

    backend: str
    """Runtime and device, for people to read."""

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the names, shapes and types that ``engines.shapes`` states.

        Raises ``OutOfMemoryError``.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A runtime."""

    name: str
    device: Literal["cpu", "cuda"]
    packages: tuple[str, ...]
    """Distributions that it needs."""
    precisions: tuple[Precision, ...]
    open: Callable[[AnySpec, int, Precision], Runner]
    """Make a net ready, with so many threads of the CPU. Raises ``MissingDependencyError`` where a package cannot be
    imported, and ``EngineError`` where the net cannot be run."""


def _open_tensorrt(spec: AnySpec, _: int, precision: Precision) -> Runner:
    from .tensorrt import open_tensorrt

    return open_tensorrt(spec, precision, user_cache())


def _open_compiled(spec: AnySpec, _: int, precision: Precision) -> Runner:
    from ..nets.graphs import graph_of
    from .torch import TorchRunner

    return TorchRunner(graph_of(spec), device="cuda", precision=precision, compile_for=inputs_of(spec))


def _open_torch(spec: AnySpec, _: int, precision: Precision) -> Runner:
    from ..nets.graphs import graph_of
    from .torch import TorchRunner

    return TorchRunner(graph_of(spec), device="cuda", precision=precision)


def _open_openvino(spec: AnySpec, threads: int, precision: Precision) -> Runner:
    from .openvino import OpenVinoRunner

    return OpenVinoRunner(spec.weights, threads=threads, precision=precision, cache=user_cache(), sha256=spec.sha256)


def _open_onnx(spec: AnySpec, threads: int, _: Precision) -> Runner:
    from .onnxruntime import OnnxRunner

    return OnnxRunner(spec.weights, threads=threads)


_TORCH: Final = ("torch", "onnx")
BACKENDS: Final = (
    Backend(
        name="TensorRT",
        device="cuda",
        packages=(*_TORCH, "torch-tensorrt", "tensorrt"),
        precisions=("f32", "f16", "bf16"),
        open=_open_tensorrt,
    ),
    Backend(
        name="torch.compile", device="cuda", packages=_TORCH, precisions=("f32", "f16", "bf16"), open=_open_compiled
    ),
    Backend(name="torch", device="cuda", packages=_TORCH, precisions=("f32", "f16", "bf16"), open=_open_torch),
    Backend(name="OpenVINO", device="cpu", packages=("openvino",), precisions=("f32", "bf16"), open=_open_openvino),
    Backend(name="ONNX Runtime", device="cpu", packages=("onnxruntime",), precisions=("f32",), open=_open_onnx),
)
"""All there are, the best of each device first."""


class CheckedRunner:
    """A runner that takes what ``engines.shapes`` states for its net, and refuses all else in one line."""

    def __init__(self, spec: AnySpec, runner: Runner) -> None:
        self.backend = runner.backend
        self._net, self._inputs, self._runner = spec.name, inputs_of(spec), runner

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As ``Runner.run``; raises ``EngineError`` for what the net does not take."""
        check_inputs(self._net, self._inputs, inputs)
        return self._runner.run(inputs)

    @property
    def run_tensors(self) -> Callable[[Mapping[str, Any]], dict[str, Any]] | None:
        """The same, unchecked, with torch's tensors on the net's device; ``None`` where it takes arrays alone."""
        return getattr(self._runner, "run_tensors", None)


def open_runner(
    spec: AnySpec, *, device: Device = "auto", threads: int = 1, precision: PrecisionChoice = "auto"
) -> Runner:
    """Make a net ready on ``device``; ``threads`` are those of the CPU.

    ``auto`` goes on to the CPU where the GPU cannot run the net, for want of memory or otherwise. Raises as
    :func:`check_device` does, and ``EngineError`` where no runtime can run the net.
    """
    exact = exact_precision(precision)
    cuda = check_device(device, exact)
    on_cpu = not cuda or (device == "auto" and exact != "f16")
    backends = [one for one in BACKENDS if (one.device == "cuda" and cuda) or (one.device == "cpu" and on_cpu)]
    return CheckedRunner(spec, first_usable(spec, backends, threads, exact))


def first_usable(spec: AnySpec, backends: Sequence[Backend], threads: int, precision: Precision) -> Runner:
    """The net in the first of these runtimes that can run it; in f32 where that one has not the precision.

    Raises what the last one raised, or, where that is just not installed, the last that is.
    """
    failures: list[EmocolorError] = []
    for backend in backends:
        given = precision if precision in backend.precisions else "f32"
        try:
            runner = backend.open(spec, threads, given)
        except (MissingDependencyError, EngineError) as error:
            failures.append(error)
            continue
        why = "".join(f" ({error})" for error in failures)
        level = logging.WARNING if failures else logging.INFO
        log.log(level, "net %s on %s, %s%s", spec.name, runner.backend, given, why)
        return runner
    raise next((error for error in reversed(failures) if isinstance(error, EngineError)), failures[0])


def exact_precision(choice: PrecisionChoice) -> Precision:
    """What a choice means."""
    return "f32" if choice == "auto" else choice


def check_device(device: Device, *precisions: PrecisionChoice) -> bool:
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
    lacking = [name for name in _TORCH if importlib.util.find_spec(name) is None]
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
