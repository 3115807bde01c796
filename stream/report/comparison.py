"""Before and after: both in one film, side by side, or as a strip of still images."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage
from emocolor.color import code_range, rgb_to_codes
from emocolor.errors import ConfigurationError, SourceError
from emocolor.frames import Frame, Rotation

from ..media.frames import to_rgb, writable
from ..media.source import SourceOptions, Unit, VideoSource
from ..media.source_facts import SourceFacts
from ..pipeline.steps import Step
from .frame_strip import GAP, clock, make_strip, write_png

Axis = Literal[0, 1]
Slices = tuple[slice, slice]

BOUNDARY_STEP: Final = 4
"""Luma pixels that the boundary lies at a multiple of, so that no chroma sample of any format straddles it."""
LINE_PART: Final = 1 / 540
"""Half the white of the line, and each of its black edges, in parts of the image's shorter side; a pixel at least."""
MOST_IMAGES: Final = 24
IMAGE_SIDE: Final = 320
"""Pixels of the longer side of a image in the strip."""
NARROWEST_IMAGE: Final = 48
"""Pixels that a image is at least wide, so that its caption can be read."""
LOWEST_IMAGE: Final = 8
ROUNDED_SECONDS: Final = 0.005
"""How far a container may round a image's time; a GIF, the coarsest, counts hundredths of a second."""


def keep_before(units: Iterable[Unit]) -> Iterator[Unit]:
    """Give each unit a copy of the half image that :func:`split_screen` puts back; to stand behind the source."""
    for unit in units:
        yield unit if unit.frame is None else replace(unit, before=_left_half(unit.frame))


def split_screen(steps: Iterable[Step]) -> Iterator[Step]:
    """Put what :func:`keep_before` kept back into the left half of the image, with a line at its edge.

    Left is where a viewer sees it, after the player has turned the image. Frames keep their form and are
    written to. Steps whose unit kept nothing pass as they are.
    """
    for step in steps:
        frame, before = step.frame, step.unit.before
        if frame is None or before is None:
            yield step
            continue
        frame = writable(frame)
        _put_left_half(frame, before)
        _draw_boundary(frame)
        yield replace(step, unit=replace(step.unit, frame=frame, before=None))


def _left_half(frame: Frame) -> Frame:
    """The half that is shown at the left, in memory of its own."""
    planes = tuple(plane[_left(frame, index)].copy() for index, plane in enumerate(frame.planes))
    return replace(frame, planes=planes, handle=None)


def _put_left_half(frame: Frame, half: Frame) -> None:
    """Write a half into the frame, with neutral chroma where it has none of its own."""
    assert half.format == frame.format or half.format.chroma == "none", f"{half.format} in {frame.format}"
    for index, plane in enumerate(frame.planes):
        neutral = code_range(frame.color, frame.format.bits)[2]
        plane[_left(frame, index)] = half.planes[index] if index < len(half.planes) else neutral


def _draw_boundary(frame: Frame) -> None:
    """White between black edges, as long as the image and without colour; in HDR diffuse white."""
    axis, at = _boundary(frame)
    width = max(1, round(LINE_PART * min(frame.size_wh)))
    for half_width, level in ((2 * width, 0.0), (width, 1.0)):
        codes = rgb_to_codes(np.full(3, level), frame.color, frame.format.bits)
        for index, plane in enumerate(frame.planes):
            step = _step(frame, index, axis)
            start, stop = max(0, at - half_width) // step, -(-(at + half_width) // step)
            plane[_along(axis, slice(start, stop))] = round(codes[min(index, 1)])


def _left(frame: Frame, index: int) -> Slices:
    """Which part of plane ``index`` a viewer sees at the left."""
    axis, at = _boundary(frame)
    at //= _step(frame, index, axis)
    # A player that turns a image clockwise by a quarter brings its bottom to the left.
    return _along(axis, slice(None, at) if frame.rotation in (0, 270) else slice(at, None))


def _boundary(frame: Frame) -> tuple[Axis, int]:
    """The axis of the stored planes that the halves lie along, 0 down and 1 across, and the luma pixel they meet at."""
    axis: Axis = 0 if frame.rotation in (90, 270) else 1
    return axis, frame.luma.shape[axis] // 2 // BOUNDARY_STEP * BOUNDARY_STEP


def _step(frame: Frame, index: int, axis: Axis) -> int:
    """Luma pixels for each sample of plane ``index`` along ``axis``."""
    return 1 if index == 0 else frame.format.subsampling[1 - axis]


def _along(axis: Axis, part: slice) -> Slices:
    return (part, slice(None)) if axis == 0 else (slice(None), part)


def write_comparison(before: Path | str, after: Path | str, image: Path, *, count: int = 6, start: float = 0.0) -> None:
    """Write a PNG of ``count`` moments of two films, ``before`` above ``after``, with their times in ``after``.

    The moments are the middles of equal parts of ``after``; a film with fewer images gives fewer, one that
    cannot be entered at a time its first alone. ``start``: seconds of ``before`` that ``after`` does not have.
    Images are turned and stretched as a player would show ``before``. Only the images shown are decoded,
    and what leads to them from the nearest key frame.

    Raises ConfigurationError for a count that is not from 1 to 24, SourceError where a film cannot be read, SinkError
    where the image cannot be written.
    """
    if not 1 <= count <= MOST_IMAGES:
        raise ConfigurationError(f"A comparison shows 1 to {MOST_IMAGES} moments, not {count}.")
    pairs = _pairs(str(before), str(after), count, start)
    width = len(pairs) * (pairs[0].before.shape[1] + GAP) - GAP
    captions = [clock(round(pair.time, 2)) for pair in pairs]
    write_png(image, make_strip([pair.before for pair in pairs], [pair.after for pair in pairs], captions, width=width))


@dataclass(frozen=True)
class _Pair:
    """The same moment in both films, images of one size."""

    time: float
    """Seconds from the start of the later film."""
    before: RgbImage
    after: RgbImage


@dataclass(frozen=True)
class _Shot:
    """A image of a film."""

    facts: SourceFacts
    time: float
    """Seconds from the film's start."""
    frame: Frame

    def rgb(self, like: SourceFacts) -> RgbImage:
        """Small, and as a player shows it that is told what ``like`` tells."""
        return _shown(to_rgb(self.frame), like.rotation, like.sample_aspect)


def _pairs(before: str, after: str, count: int, start: float) -> list[_Pair]:
    """The moments compared, in order, at least one."""
    first_before, first_after = _image_from(before, start), _image_from(after, 0.0)
    how = first_before.facts
    # Told by their first images, since a film's clock starts with audio that the other may not have.
    offset = first_before.time - first_after.time
    pairs: list[_Pair] = []
    for time in _moments(first_before.facts, first_after.facts, count):
        try:
            late = _image_from(after, time)
            early = _image_from(before, max(0.0, late.time + offset - ROUNDED_SECONDS))
        except SourceError:  # both can be read from their start, so one has no image there
            continue
        if not pairs or late.time > pairs[-1].time + ROUNDED_SECONDS:
            pairs.append(_Pair(late.time, early.rgb(how), late.rgb(how)))
    return pairs or [_Pair(first_after.time, first_before.rgb(how), first_after.rgb(how))]


def _moments(before: SourceFacts, after: SourceFacts, count: int) -> list[float]:
    """Times in ``after`` from which on to look for a image; one a second where no duration is known."""
    duration = after.duration or before.duration or float(count)
    # The image shown at a time began at most so much earlier.
    lead = float(1 / after.frame_rate) if after.frame_rate else 0.0
    return [max(0.0, duration * (index + 0.5) / count - lead) for index in range(count)]


def _image_from(film: str, seconds: float) -> _Shot:
    """The first image at or after a time."""
    # How large images may be was decided when the films were made.
    options = SourceOptions(start_seconds=seconds, max_pixels=1 << 31)
    with closing(VideoSource(film, options)) as source:
        frame = next(unit.frame for unit in source.units() if unit.frame is not None)
        return _Shot(source.facts, seconds + frame.time, frame)


def _shown(rgb: NDArray[np.uint8], rotation: Rotation, sample_aspect: Fraction) -> RgbImage:
    """A stored image as it is seen, its longer side of ``IMAGE_SIDE``."""
    height, width = rgb.shape[0], rgb.shape[1] * float(sample_aspect)
    turned = rotation in (90, 270)
    scale = IMAGE_SIDE / max(width, height)
    least_wh = (LOWEST_IMAGE, NARROWEST_IMAGE) if turned else (NARROWEST_IMAGE, LOWEST_IMAGE)
    size_wh = [max(round(side * scale), least) for side, least in zip((width, height), least_wh, strict=True)]
    small = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.rot90(small, -(rotation // 90)), np.uint8)
