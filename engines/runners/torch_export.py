"""Nets as graphs of ATen operations with open sizes (``torch.export``), from which TensorRT engines are built.

TensorRT asks for two things. It computes in floating point, so uint8 images are unpacked before the graph and packed
after it. As of version 11 its networks are strongly typed, so the precision is part of the graph: the net is exported
under autocast, whose casts become operations.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from emocolor.protocols import Precision

from ..nets.graphs import Graph, Painter
from ..shapes import Axis, Input
from .torch import SHORT_TYPES


class FloatGraph(nn.Module):
    """A net from float32 tensors to float32 tensors that computes in ``precision`` where autocast allows it."""

    def __init__(self, graph: Graph, device: str, precision: Precision) -> None:
        super().__init__()
        self._net = graph.module.net if isinstance(graph.module, Painter) else graph.module
        self._device, self._type = device, SHORT_TYPES.get(precision)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast(self._device, self._type, enabled=self._type is not None):
            found = self._net(*given)
        return tuple(part.float() for part in (found if isinstance(found, tuple) else (found,)))


def float_inputs(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    """Inputs of the ``FloatGraph`` of a net that takes ``inputs``, within the bounds of an engine."""
    return tuple(replace(one, dtype=np.float32, axes=tuple(map(_in_engine, _unpacked(one)))) for one in inputs)


def exported(graph: Graph, inputs: tuple[Input, ...], *, device: str, precision: Precision) -> ExportedProgram:
    """Export the ``FloatGraph`` of a net on a device; axes that may vary in its :func:`float_inputs` stay open."""
    module = FloatGraph(graph, device, precision).to(device).eval()
    floats = float_inputs(inputs)
    # torch.export takes axes of length 0 or 1 for constants and axes of equal length for one, so all differ.
    steps = {axis.name: number for number, axis in enumerate(_open_axes(floats), start=1)}
    given = (torch.ones(one.shape(lambda a: a.least + a.step * steps[a.name]), device=device) for one in floats)
    symbols = {axis.name: _symbol(axis) for axis in _open_axes(floats)}
    shapes = ({i: symbols[a.name] for i, a in enumerate(one.axes) if isinstance(a, Axis)} for one in floats)
    with torch.inference_mode():
        return torch.export.export(module, tuple(given), dynamic_shapes=(tuple(shapes),))


def _unpacked(one: Input) -> tuple[int | Axis, ...]:
    """The axes of an image as floats: uint8 (N, H, W, 3) becomes (N, 3, H, W)."""
    if one.dtype is not np.uint8:
        return one.axes
    images, height, width, channels = one.axes
    return images, channels, height, width


def _in_engine(axis: int | Axis) -> int | Axis:
    return replace(axis, most=axis.engine_most or axis.most) if isinstance(axis, Axis) else axis


def _open_axes(inputs: tuple[Input, ...]) -> list[Axis]:
    """Every axis that may vary, once."""
    return list({axis.name: axis for one in inputs for axis in one.axes if isinstance(axis, Axis)}.values())


def _symbol(axis: Axis) -> Any:
    if axis.step == 1:
        return Dim(axis.name, min=axis.least, max=axis.most)
    return axis.step * Dim(f"{axis.name}_steps", min=axis.least // axis.step, max=axis.most // axis.step)
