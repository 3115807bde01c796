"""Which runtime runs a net: the first of ``BACKENDS`` that the machine has and that can run the net.

On an NVIDIA GPU that is TensorRT, else torch compiled with CUDA graphs, else eager torch; on the CPU OpenVINO, else
ONNX Runtime. If it is not the first, a warning says which one it is and why.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from numpy.typing import NDArray

from emocolor.errors import EmocolorError, EngineError, MissingDependencyError
from emocolor.protocols import Precision

from ..cache import user_cache
from ..onnx_file import read_interface
from ..shapes import check_graph, check_inputs, check_outputs, inputs_of
from ..spec import AnySpec, ships
from .base import Backend, Runner
from .devices import TORCH_PACKAGES, Device, PrecisionChoice, check_device, exact_precision

log = logging.getLogger(__name__)


# Each runtime is imported only when it is tried: torch alone takes seconds, and none of them need be installed.


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


BACKENDS: Final = (
    Backend(
        name="TensorRT",
        device="cuda",
        packages=(*TORCH_PACKAGES, "torch-tensorrt", "tensorrt"),
        precisions=("f32", "f16", "bf16"),
        open=_open_tensorrt,
    ),
    Backend(
        name="torch.compile",
        device="cuda",
        packages=TORCH_PACKAGES,
        precisions=("f32", "f16", "bf16"),
        open=_open_compiled,
    ),
    Backend(name="torch", device="cuda", packages=TORCH_PACKAGES, precisions=("f32", "f16", "bf16"), open=_open_torch),
    Backend(name="OpenVINO", device="cpu", packages=("openvino",), precisions=("f32", "bf16"), open=_open_openvino),
    Backend(name="ONNX Runtime", device="cpu", packages=("onnxruntime",), precisions=("f32",), open=_open_onnx),
)
"""All runtimes, the best of each device first."""


class CheckedRunner:
    """A runner that takes, and puts out, what ``engines.shapes`` states for its net and nothing else."""

    def __init__(self, spec: AnySpec, runner: Runner) -> None:
        self.backend = runner.backend
        self._spec, self._inputs, self._runner = spec, inputs_of(spec), runner

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """As ``Runner.run``. Raises ``EngineError`` for inputs that the net does not take, and for wrong outputs."""
        check_inputs(self._spec.name, self._inputs, inputs)
        found = self._runner.run(inputs)
        check_outputs(self._spec, inputs, found)
        return found

    @property
    def run_tensors(self) -> Callable[[Mapping[str, Any]], dict[str, Any]] | None:
        """``run`` on torch tensors on the net's device, unchecked; ``None`` if the runtime takes only arrays."""
        return getattr(self._runner, "run_tensors", None)


def open_runner(
    spec: AnySpec, *, device: Device = "auto", threads: int = 1, precision: PrecisionChoice = "auto"
) -> Runner:
    """Make a net ready on ``device``, with ``threads`` CPU threads if it runs on the CPU.

    ``auto`` falls back to the CPU if the GPU cannot run the net, for lack of memory or otherwise. Raises as
    :func:`check_device` does, and ``EngineError`` if no runtime can run the net.
    """
    exact = exact_precision(precision)
    cuda = check_device(device, exact)
    if not ships(spec):
        check_graph(spec, read_interface(spec.weights.read_bytes()))
    on_cpu = not cuda or (device == "auto" and exact != "f16")
    backends = [one for one in BACKENDS if (one.device == "cuda" and cuda) or (one.device == "cpu" and on_cpu)]
    return CheckedRunner(spec, first_usable(spec, backends, threads, exact))


def first_usable(spec: AnySpec, backends: Sequence[Backend], threads: int, precision: Precision) -> Runner:
    """The net in the first of these runtimes that can run it, in f32 if that runtime lacks the precision.

    If all fail, raises the last ``EngineError``; if none is installed, the first ``MissingDependencyError``.
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
