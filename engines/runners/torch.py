"""Nets in torch, on an NVIDIA GPU or, as the reference that others are compared with, on the CPU."""

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
NO_ROOM: Final = "The GPU has no room for the net. Close what else uses it, or pass --device cpu."

log = logging.getLogger(__name__)


class TorchRunner:
    """One net, eager or compiled. Not for two threads at once.

    ``f32`` is float32 throughout, TF32 not allowed; the others are autocast's choice of where the shorter type does
    no harm.
    """

    def __init__(
        self, graph: "Graph", *, device: str, precision: Precision = "f32", compile_for: tuple[Input, ...] = ()
    ) -> None:
        """``device``: ``cuda`` or ``cpu``. With the net's inputs as ``compile_for`` it is compiled by torch.compile.

        Compiled, kernels of one run go to a GPU together, as a CUDA graph per size of the inputs. Compiling takes up
        to minutes and needs a C compiler, and on GPUs Triton; it is done here, once for all sizes. Raises
        ``EngineError`` where it fails, and where the GPU has no room for the net.
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
        """Named arrays in, named arrays out, of the types that the graph says.

        Raises ``OutOfMemoryError``.
        """
        found = self.run_tensors({name: torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in inputs})
        return {name: _array(part) for name, part in found.items()}

    def run_tensors(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The same with tensors, which come out on the net's device; those of a compiled net hold until the next run.

        Waits for nothing. Raises ``OutOfMemoryError``.
        """
        given = [inputs[name].to(self._device) for name in self._graph.inputs]
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, self._type, enabled=self._type is not None):
                found = self._module(*given)
        except torch.OutOfMemoryError as error:
            raise OutOfMemoryError(
                "The GPU has too little memory left. Close what else uses it, or pass --device cpu."
            ) from error
        parts = found if isinstance(found, tuple) else (found,)
        return dict(zip(self._graph.outputs, parts, strict=True))

    def _compile(self, inputs: tuple[Input, ...]) -> None:
        log.info("torch.compile takes up to minutes for a net that it has not seen")
        self._module = torch.compile(self._module, mode="reduce-overhead", dynamic=True)
        try:
            for steps in (0, 1):  # an axis of 1, where that is usual, is compiled for itself
                self.run(_ones(inputs, steps))
        except Exception as error:  # of whatever part of the compiler, or of the compilers it calls
            raise EngineError(f"torch.compile fails: {str(error).strip().splitlines()[0]}") from error


def _ones(inputs: tuple[Input, ...], steps: int) -> dict[str, NDArray[Any]]:
    """Inputs of the usual sizes and so many steps."""
    return {one.name: np.ones(one.shape(lambda axis: axis.usual + steps * axis.step), one.dtype) for one in inputs}


def _array(part: torch.Tensor) -> NDArray[Any]:
    return np.asarray((part.float() if part.is_floating_point() else part).cpu().numpy())
