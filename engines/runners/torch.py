"""Nets in torch: on an NVIDIA GPU, or on the CPU as the reference that other runtimes are compared with."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from emocolor.errors import EngineError, OutOfMemoryError
from emocolor.protocols import Precision

from ..shapes import Input

if TYPE_CHECKING:
    from ..nets.graphs import Graph

SHORT_TYPES: Final = {"bf16": torch.bfloat16, "f16": torch.float16}
NO_ROOM: Final = "The GPU has no room for the net. Close other programs that use it, or choose the device cpu."

log = logging.getLogger(__name__)


class TorchRunner:
    """One net, eager or compiled. Not thread-safe.

    ``f32`` is float32 throughout, without TF32. In the other precisions autocast decides which operations use the
    shorter type.
    """

    def __init__(
        self, graph: "Graph", *, device: str, precision: Precision = "f32", compile_for: tuple[Input, ...] = ()
    ) -> None:
        """Move a net to ``device``, ``cuda`` or ``cpu``. Given its inputs as ``compile_for``, compile it.

        A compiled net sends all kernels of a run to the GPU together, as one CUDA graph per size of the inputs.
        Compiling takes up to minutes and needs a C compiler, on GPUs also Triton; it happens here, once for all sizes.
        Raises ``EngineError`` if it fails, or if the GPU has no room for the net.
        """
        self.backend = f"torch{'.compile' if compile_for else ''} {device}"
        self._device = torch.device(device)
        self._graph, self._type = graph, SHORT_TYPES.get(precision)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        try:
            self._module = graph.module.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        except torch.OutOfMemoryError as error:
            raise EngineError(NO_ROOM) from error
        if compile_for:
            self._compile(compile_for)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the graph's types. Raises ``OutOfMemoryError``."""
        found = self.run_tensors({name: torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in inputs})
        return {name: _array(part) for name, part in found.items()}

    def run_tensors(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """``run`` on tensors. Outputs are on the net's device; those of a compiled net are overwritten by its next run.

        Does not synchronise. Raises ``OutOfMemoryError``.
        """
        given = [inputs[name].to(self._device) for name in self._graph.inputs]
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, self._type, enabled=self._type is not None):
                found = self._module(*given)
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(
                "The GPU has too little memory left. Close other programs that use it, or choose the device cpu."
            ) from error
        parts = found if isinstance(found, tuple) else (found,)
        return dict(zip(self._graph.outputs, parts, strict=True))

    def _compile(self, inputs: tuple[Input, ...]) -> None:
        log.info("torch.compile takes up to minutes for a net that it compiles for the first time")
        self._module = torch.compile(self._module, mode="reduce-overhead", dynamic=True)
        try:
            for steps in (0, 1):  # torch.compile makes a version of its own for axes of length 1
                self.run(_ones(inputs, steps))
        except Exception as error:  # each part of the compiler, and each compiler that it calls, has its own
            raise EngineError(f"torch.compile fails: {str(error).strip().splitlines()[0]}") from error


def _ones(inputs: tuple[Input, ...], steps: int) -> dict[str, NDArray[Any]]:
    """Inputs ``steps`` steps larger than the usual sizes."""
    return {one.name: np.ones(one.shape(lambda axis: axis.usual + steps * axis.step), one.dtype) for one in inputs}


def _array(part: torch.Tensor) -> NDArray[Any]:
    return np.asarray((part.float() if part.is_floating_point() else part).cpu().numpy())
