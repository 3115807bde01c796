"""Clips to measure on: found in folders, and read frame by frame. Needs no torch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from emocolor.arrays import GrayImage, RgbImage
from emocolor.chroma.conversion import luma_of
from emocolor.cuts import CutDetector
from emocolor.errors import SourceError
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

SUFFIXES: Final = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".mpg", ".ts")
"""Of the files of a folder that are taken for clips, in either case; a file given by its path may have any."""
MIN_SIDE: Final = 16
"""px; the optical flow of smaller frames cannot be estimated."""
HD_HEIGHT: Final = 720
"""Untagged frames of this height or more are taken for BT.709, smaller ones for BT.601, as players do."""
UNSPECIFIED: Final = 2
"""FFmpeg's code of an unspecified matrix."""
DEFAULT_STEP: Final = 1 / 25
"""Seconds between frames where the clip has no timestamps."""
CLOCK: Final = Fraction(1, 90_000)
FULL_RANGE: Final = ColorSpec(matrix="bt601", full_range=True)


@dataclass(frozen=True)
class ClipFrame:
    """A decoded frame of a clip."""

    time: float
    """Seconds from the first frame."""
    rgb: RgbImage
    gray: GrayImage
    """Its luma (BT.601, full range)."""
    cut: bool
    """Whether it starts a shot other than the first."""


def find_clips(places: Sequence[Path]) -> list[Path]:
    """The clips of folders and files, each once, those of a folder sorted by name.

    Raises ``SourceError`` for a path that does not exist and where there is no clip at all.
    """
    for place in places:
        if not place.exists():
            raise SourceError(f"No such file or folder: {place}.")
    found = [path for place in places for path in (_clips_below(place) if place.is_dir() else [place])]
    if not found:
        raise SourceError(f"No clip ({', '.join(SUFFIXES)}) in {', '.join(map(str, places))}.")
    return list(dict.fromkeys(found))


def read_clip(path: Path, *, seconds: float, height: int) -> Iterator[ClipFrame]:
    """The frames of the first ``seconds`` of a clip, their short side scaled down to ``height`` where it is longer.

    Raises ``SourceError`` where a frame before ``seconds`` cannot be decoded.
    """
    cuts = CutDetector()
    for time, rgb in _decoded(path, seconds, height):
        gray = luma_of(rgb)
        yield ClipFrame(time, rgb, gray, cuts.is_cut(gray_frame(time, gray)))


def gray_frame(time: float, gray: GrayImage) -> Frame:
    """A gray frame of the program, 4:4:4 so that chroma is measured at full resolution."""
    planes = gray, np.full_like(gray, 128), np.full_like(gray, 128)
    pts = round(time / CLOCK)
    return Frame(planes=planes, format=PIXEL_FORMATS["yuv444p"], color=FULL_RANGE, pts=pts, time_base=CLOCK)


def _clips_below(folder: Path) -> list[Path]:
    hits = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in hits if not path.name.startswith("."))


def _decoded(path: Path, seconds: float, height: int) -> Iterator[tuple[float, RgbImage]]:
    """Time in seconds from the first frame, and R'G'B' (H, W, 3) uint8 as the decoder has it, of each frame."""
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                raise SourceError(f"{path.name} has no video.")
            stream.thread_type = "AUTO"
            size_wh = _measured_size(path.name, stream.codec_context, height)
            for time, frame in _timed(container.decode(stream)):
                if time >= seconds:
                    return
                yield time, _rgb(frame, size_wh)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path.name} cannot be decoded ({_reason(error)}).") from error


def _timed(frames: Iterable[av.VideoFrame]) -> Iterator[tuple[float, av.VideoFrame]]:
    """Each frame with its seconds from the first, strictly increasing.

    Where a timestamp is missing or goes back, the last step is repeated.
    """
    start, time, step = None, -DEFAULT_STEP, DEFAULT_STEP
    for frame in frames:
        start = frame.time if start is None else start
        seconds = time if frame.time is None or start is None else frame.time - start
        if seconds <= time:
            seconds = time + step
        time, step = seconds, seconds - time
        yield time, frame


def _measured_size(name: str, video: av.VideoCodecContext, height: int) -> tuple[int, int]:
    short = min(video.width, video.height)
    if short < MIN_SIDE:
        raise SourceError(f"{name} is {video.width}x{video.height}, too small to measure.")
    scale = min(1.0, height / short)
    return round(video.width * scale), round(video.height * scale)


def _rgb(frame: av.VideoFrame, size_wh: tuple[int, int]) -> RgbImage:
    untagged_hd = frame.colorspace == UNSPECIFIED and frame.height >= HD_HEIGHT
    scaled = frame.reformat(
        *size_wh,
        "rgb24",
        src_colorspace=Colorspace.ITU709 if untagged_hd else None,
        interpolation=int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT),
    )
    return np.ascontiguousarray(scaled.to_ndarray(), np.uint8)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
