"""A net that ships, in float64 in eager torch on the CPU: the reference for every backend."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from engines.nets.graphs import graph_of
from engines.spec import AnySpec


class Float64Graph:
    """A graph with the weights of its ONNX file in which every operation is float64.

    By ``Tensor.float()`` nets widen what must not be rounded to bfloat16; here that gives float64 as well.
    """

    backend = "torch float64"

    def __init__(self, spec: AnySpec) -> None:
        """Raises ``EngineError`` if weights and definition differ."""
        self._graph = graph_of(spec)
        self._graph.module.double()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Named arrays in, float32 or uint8 as for any backend; named arrays out, with float64 instead of float32."""
        given = [_widened(torch.from_numpy(inputs[name])) for name in self._graph.inputs]
        with torch.inference_mode(), _WideCasts():
            found = self._graph.module(*given)
        parts = found if isinstance(found, tuple) else (found,)
        return {name: np.asarray(part.numpy()) for name, part in zip(self._graph.outputs, parts, strict=True)}


class _WideCasts(TorchFunctionMode):
    """While entered, ``Tensor.float()`` gives float64."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        wide = Tensor.double if function is Tensor.float else function
        return wide(*args, **(kwargs or {}))


def _widened(tensor: Tensor) -> Tensor:
    return tensor.double() if tensor.is_floating_point() else tensor
