"""A strip of still images from two films, one above the other: the same moments before and after."""

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage
from emocolor.errors import ConfigurationError, SinkError, SourceError
from emocolor.frames import Frame, Rotation

from ..files.output_file import OutputFile, Placeable
from ..media.frames import to_rgb
from ..media.locations import files_of
from ..media.source import SourceOptions, VideoSource
from ..media.source_info import SourceInfo
from .drawing import png_bytes, time_label, write_png
from .frame_strip import GAP, make_strip

MAX_MOMENTS: Final = 24
IMAGE_SIDE: Final = 320
"""Pixels of the longer side of an image in the strip."""
MIN_IMAGE_WIDTH: Final = 48
"""Pixels that an image must be wide for its caption to be readable."""
MIN_IMAGE_HEIGHT: Final = 8
MAX_PIXELS: Final = 10**9
"""More than any encoder takes."""
ROUNDED_SECONDS: Final = 0.005
"""How far a container may round a frame's time; GIF, the coarsest, counts hundredths of a second."""


def write_comparison(
    before: Path | str, after: Path | str, image: Path, *, count: int = 6, start: float = 0.0, overwrite: bool = False
) -> None:
    """Write a PNG of ``count`` moments of two films, as :func:`draw_comparison` draws it and raises.

    Raises SinkError too, where the image cannot be written, or exists.
    """
    write_png(image, draw_comparison(before, after, count=count, start=start), overwrite=overwrite)


def draw_comparison(before: Path | str, after: Path | str, *, count: int = 6, start: float = 0.0) -> RgbImage:
    """``count`` moments of two films, ``before`` above ``after``, with their times in ``after``.

    The moments are the middles of equal parts of ``after``. A film with fewer frames gives fewer moments, and one that
    cannot seek its first frame alone. ``start``: seconds of ``before`` that ``after`` does not have. Images are rotated
    and stretched as a player would display ``before``. Only the frames that are shown are decoded, and what leads to
    them from the nearest key frame.

    Raises ConfigurationError for a count that is not from 1 to 24, SourceError where a film cannot be read.
    """
    if not 1 <= count <= MAX_MOMENTS:
        raise ConfigurationError(f"A comparison shows 1 to {MAX_MOMENTS} moments, not {count}.")
    pairs = _pairs(str(before), str(after), count, start)
    width = len(pairs) * (pairs[0].before.shape[1] + GAP) - GAP
    captions = [time_label(round(pair.time, 2)) for pair in pairs]
    return make_strip([pair.before for pair in pairs], [pair.after for pair in pairs], captions, width=width)


class ComparisonWriter:
    """The comparison as an output of the job that makes the later film: drawn when that film is complete."""

    def __init__(
        self, path: Path, *, before: str, after: Path, start: float, overwrite: bool, warnings: list[str]
    ) -> None:
        """``after``: where the later film lies until it has its name. ``warnings`` gets why nothing can be drawn.

        Raises SinkError for a place that cannot be used.
        """
        self._before, self._after, self._start, self._warnings = before, after, start, warnings
        self._output = OutputFile(path, overwrite=overwrite, inputs=files_of(before))
        self._failed = False

    @property
    def outputs(self) -> list[Placeable]:
        """What waits for its name; nothing where nothing could be drawn."""
        return [] if self._failed else [self._output]

    def complete(self) -> None:
        """Draw it. Raises SinkError where it cannot be written."""
        try:
            data = png_bytes(draw_comparison(self._before, self._after, start=self._start))
        except (ConfigurationError, SourceError) as error:  # the film itself is complete
            self._warnings.append(f"Frames before and after could not be drawn: {error}")
            self._failed = True
            self.abort()
            return
        try:
            with self._output.open() as file:
                file.write(data)
        except OSError as error:
            raise SinkError(f"Cannot write {self._output.path}: {error.strerror}.") from error

    def abort(self) -> None:
        """Remove what was written, unless it has its name."""
        self._output.discard()


@dataclass(frozen=True)
class _Pair:
    """The same moment in both films, images of one size."""

    time: float
    """Seconds from the start of the later film."""
    before: RgbImage
    after: RgbImage


@dataclass(frozen=True)
class _FilmFrame:
    """A frame of a film."""

    info: SourceInfo
    time: float
    """Seconds from the film's start."""
    frame: Frame

    def displayed(self, like: SourceInfo) -> RgbImage:
        """A small image, as a player displays a film with the rotation and aspect of ``like``."""
        return _displayed(to_rgb(self.frame), like.rotation, like.sample_aspect)


def _pairs(before: str, after: str, count: int, start: float) -> list[_Pair]:
    """The moments compared, in order; at least one."""
    first_before, first_after = _first_frame_from(before, start), _first_frame_from(after, 0.0)
    like = first_before.info
    # Matched by their first frames: a film's clock may start with audio that the other film does not have.
    offset = first_before.time - first_after.time
    pairs: list[_Pair] = []
    for time in _moments(first_before.info, first_after.info, count):
        try:
            late = _first_frame_from(after, time)
            early = _first_frame_from(before, max(0.0, late.time + offset - ROUNDED_SECONDS))
        except SourceError:  # both can be read from their start, so one of them has ended before this moment
            continue
        if not pairs or late.time > pairs[-1].time + ROUNDED_SECONDS:
            pairs.append(_Pair(late.time, early.displayed(like), late.displayed(like)))
    return pairs or [_Pair(first_after.time, first_before.displayed(like), first_after.displayed(like))]


def _moments(before: SourceInfo, after: SourceInfo, count: int) -> list[float]:
    """Times in ``after`` from which to look for a frame; one per second where no duration is known."""
    duration = after.duration or before.duration or float(count)
    # The frame that is on screen at a moment began up to one frame earlier.
    lead = float(1 / after.frame_rate) if after.frame_rate else 0.0
    return [max(0.0, duration * (index + 0.5) / count - lead) for index in range(count)]


def _first_frame_from(film: str, seconds: float) -> _FilmFrame:
    """The first frame at or after a time."""
    # The limit on the size of frames was applied when the films were made.
    options = SourceOptions(start_seconds=seconds, max_pixels=MAX_PIXELS)
    with closing(VideoSource(film, options)) as source:
        frame = next(unit.frame for unit in source.units() if unit.frame is not None)
        return _FilmFrame(source.info, seconds + frame.time, frame)


def _displayed(rgb: NDArray[np.uint8], rotation: Rotation, sample_aspect: Fraction) -> RgbImage:
    """A stored image as a player displays it, with a longer side of ``IMAGE_SIDE``."""
    height, width = rgb.shape[0], rgb.shape[1] * float(sample_aspect)
    turned = rotation in (90, 270)
    scale = IMAGE_SIDE / max(width, height)
    min_wh = (MIN_IMAGE_HEIGHT, MIN_IMAGE_WIDTH) if turned else (MIN_IMAGE_WIDTH, MIN_IMAGE_HEIGHT)
    size_wh = [max(round(side * scale), least) for side, least in zip((width, height), min_wh, strict=True)]
    small = cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.rot90(small, -(rotation // 90)), np.uint8)
