"""Split screen: the left half of the frame as it was decoded, the right half as it was rendered.

keep_original stands right after the source, split_screen after the last effect.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final, Literal

import numpy as np

from emocolor.color import code_range, rgb_to_codes
from emocolor.frames import Frame

from ..media.frames import writable
from ..media.source import MediaUnit
from .steps import Step

Axis = Literal[0, 1]
PlaneSlices = tuple[slice, slice]

BOUNDARY_MULTIPLE: Final = 4
"""The boundary lies at a multiple of so many luma pixels, so that no chroma sample of any format straddles it."""
LINE_WIDTH: Final = 1 / 540
"""Half the white of the line, and each of its black edges, as a part of the frame's shorter side; at least a pixel."""


def keep_original(units: Iterable[MediaUnit]) -> Iterator[MediaUnit]:
    """Give each unit a copy of the half of its frame that :func:`split_screen` puts back."""
    for unit in units:
        yield unit if unit.frame is None else replace(unit, original=_left_half(unit.frame))


def split_screen(steps: Iterable[Step]) -> Iterator[Step]:
    """Put what :func:`keep_original` kept into the left half of the frame, with a line at its edge.

    Left is where a viewer sees it, after the player has rotated the frame. Frames keep their format and are written to.
    Steps whose unit kept nothing pass unchanged.
    """
    for step in steps:
        frame, original = step.frame, step.unit.original
        if frame is None or original is None:
            yield step
            continue
        frame = writable(frame)
        _put_left_half(frame, original)
        _draw_boundary(frame)
        yield replace(step, unit=replace(step.unit, frame=frame, original=None))


def _left_half(frame: Frame) -> Frame:
    """The half that a viewer sees at the left, in memory of its own."""
    planes = tuple(plane[_left(frame, index)].copy() for index, plane in enumerate(frame.planes))
    return replace(frame, planes=planes, handle=None)


def _put_left_half(frame: Frame, half: Frame) -> None:
    """Write a half into the frame, with neutral chroma where it has none of its own."""
    assert half.format == frame.format or half.format.chroma == "none", f"{half.format} in {frame.format}"
    for index, plane in enumerate(frame.planes):
        neutral = code_range(frame.color, frame.format.bits)[2]
        plane[_left(frame, index)] = half.planes[index] if index < len(half.planes) else neutral


def _draw_boundary(frame: Frame) -> None:
    """Draw a line without colour, white between black edges, in place; in HDR, white is diffuse white."""
    axis, at = _boundary(frame)
    width = max(1, round(LINE_WIDTH * min(frame.size_wh)))
    for half_width, level in ((2 * width, 0.0), (width, 1.0)):
        codes = rgb_to_codes(np.full(3, level), frame.color, frame.format.bits)
        for index, plane in enumerate(frame.planes):
            step = _luma_step(frame, index, axis)
            start, stop = max(0, at - half_width) // step, -(-(at + half_width) // step)
            plane[_along(axis, slice(start, stop))] = round(codes[min(index, 1)])


def _left(frame: Frame, index: int) -> PlaneSlices:
    """The part of plane ``index`` that a viewer sees at the left."""
    axis, at = _boundary(frame)
    at //= _luma_step(frame, index, axis)
    # A player that rotates a frame clockwise by 90 degrees brings its bottom to the left.
    return _along(axis, slice(None, at) if frame.rotation in (0, 270) else slice(at, None))


def _boundary(frame: Frame) -> tuple[Axis, int]:
    """The axis of the stored planes along which the halves lie, 0 down and 1 across, and where the second begins."""
    axis: Axis = 0 if frame.rotation in (90, 270) else 1
    return axis, frame.luma.shape[axis] // 2 // BOUNDARY_MULTIPLE * BOUNDARY_MULTIPLE


def _luma_step(frame: Frame, index: int, axis: Axis) -> int:
    """Luma pixels per sample of plane ``index`` along ``axis``."""
    return 1 if index == 0 else frame.format.subsampling[1 - axis]


def _along(axis: Axis, part: slice) -> PlaneSlices:
    return (part, slice(None)) if axis == 0 else (slice(None), part)
