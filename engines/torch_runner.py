"""Nets in torch, on an NVIDIA GPU or, as the reference that others are compared with, on the CPU."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from emocolor.errors import EngineError

from .runners import OutOfMemory
from .spec import Precision

if TYPE_CHECKING:
    from .nets.graphs import Graph

_TYPES = {"bf16": torch.bfloat16, "f16": torch.float16}


class TorchRunner:
    """One net, eager. Not for two threads at once.

    ``f32`` is float32 throughout, TF32 not allowed; the others are autocast's choice of where the shorter type does
    no harm.
    """

    def __init__(self, graph: "Graph", *, device: str, precision: Precision = "f32") -> None:
        """``device``: ``cuda`` or ``cpu``. Raises ``EngineError`` where the GPU has no room for the net."""
        self.backend = f"torch {device}"
        self._device = torch.device(device)
        self._graph, self._type = graph, _TYPES.get(precision)
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        try:
            self._module = graph.module.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        except torch.OutOfMemoryError as error:
            raise EngineError(
                "The GPU has no room for the net. Close what else uses it, or pass --device cpu."
            ) from error

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, named arrays out, of the types that the graph says.

        Raises ``OutOfMemory``.
        """
        given = [torch.from_numpy(np.ascontiguousarray(inputs[name])).to(self._device) for name in self._graph.inputs]
        try:
            with torch.inference_mode(), torch.autocast(self._device.type, self._type, enabled=self._type is not None):
                found = self._module(*given)
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(
                "The GPU has too little memory left. Close what else uses it, or pass --device cpu."
            ) from error
        parts = found if isinstance(found, tuple) else (found,)
        return {name: _array(part) for name, part in zip(self._graph.outputs, parts, strict=True)}


def _array(part: torch.Tensor) -> NDArray[Any]:
    return np.asarray((part.float() if part.is_floating_point() else part).cpu().numpy())
