"""Clips to measure on: found in folders, read frame by frame, and followed along their motion."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Final

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from emocolor.chroma.conversion import Gray, Rgb8, luma_of
from emocolor.cuts import CutDetector
from emocolor.errors import SourceError
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame

from ..colorizer.video_metrics import LEAST_SHARE, SMALLEST_SIDE, Match, Matcher

SUFFIXES: Final = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".mpg", ".ts")
"""What counts as a clip in a folder, in either case; files that are named count whatever they are called."""
LEAST_FRAMES: Final = 8
"""Of the longest shot of a clip that is measured."""
HD_HEIGHT: Final = 720
"""From this height on an untagged picture is taken for BT.709, below for BT.601, as players do."""
UNSPECIFIED: Final = 2
"""FFmpeg's code of an unspecified matrix."""
USUAL_STEP: Final = 1 / 25
"""Seconds between frames, where a clip does not tell."""
CLOCK: Final = Fraction(1, 90_000)
FULL_RANGE: Final = ColorSpec(matrix="bt601", full_range=True)


@dataclass(frozen=True)
class Shown:
    """A frame of a clip."""

    time: float
    """Seconds from the first."""
    rgb: Rgb8
    gray: Gray
    """Its luma."""
    cut: bool
    """Whether it starts a shot other than the first."""


class MotionTracker:
    """Follows the motion of one clip, in the memory of one frame."""

    def __init__(self, name: str) -> None:
        """``name`` is for messages."""
        self._name = name
        self._matcher = Matcher()
        self._before: Gray | None = None
        self._shares: list[float] = []
        """Parts of the points whose motion is believed, of each pair of frames."""
        self._frames, self._shot, self._longest_shot = 0, 0, 0

    def __len__(self) -> int:
        """Frames so far."""
        return self._frames

    def match(self, shown: Shown) -> Match | None:
        """Where the points of the next frame were in the one before; None where a shot starts."""
        before, self._before = self._before, shown.gray
        match = None if before is None or shown.cut else self._matcher.match(before, shown.gray)
        if match is not None:
            self._shares.append(match.share)
        self._frames += 1
        self._shot = 1 if match is None else self._shot + 1
        self._longest_shot = max(self._longest_shot, self._shot)
        return match

    def followed(self) -> float:
        """Part of the points whose motion was believed, in [0, 1]; raises ``SourceError`` where it means nothing."""
        if self._longest_shot < LEAST_FRAMES:
            raise SourceError(f"{self._name} has fewer than {LEAST_FRAMES} frames without a cut.")
        if max(self._shares) < LEAST_SHARE:
            raise SourceError(f"{self._name} moves so that nothing can be followed.")
        return fmean(self._shares)


def clips_in(places: Sequence[Path]) -> list[Path]:
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


def read_clip(path: Path, *, seconds: float, height: int) -> Iterator[tuple[float, Rgb8]]:
    """Time in seconds from the first frame, and picture, (H, W, 3) uint8 as the decoder's R'G'B', of each frame.

    Frames from ``seconds`` on are not read. Short sides above ``height`` are scaled down to it. Raises
    ``SourceError`` where anything before cannot be decoded.
    """
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if not isinstance(stream, av.VideoStream):
                raise SourceError(f"{path.name} has no video.")
            stream.thread_type = "AUTO"
            size_wh = _measured_size(path.name, stream.codec_context, height)
            for time, picture in _timed(container.decode(stream)):
                if time >= seconds:
                    return
                yield time, _rgb(picture, size_wh)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceError(f"{path.name} cannot be decoded ({_reason(error)}).") from error


def shown_frames(pictures: Iterable[tuple[float, Rgb8]]) -> Iterator[Shown]:
    """Frames with their luma and with the cuts between them, from what :func:`read_clip` gives."""
    cuts = CutDetector()
    for time, rgb in pictures:
        gray = luma_of(rgb)
        yield Shown(time, rgb, gray, cuts.is_cut(gray_frame(time, gray)))


def gray_frame(time: float, gray: Gray) -> Frame:
    """Gray as 4:4:4, so that chroma keeps the measuring size."""
    planes = gray, np.full_like(gray, 128), np.full_like(gray, 128)
    pts = round(time / CLOCK)
    return Frame(planes=planes, format=PIXEL_FORMATS["yuv444p"], color=FULL_RANGE, pts=pts, time_base=CLOCK)


def _clips_below(folder: Path) -> list[Path]:
    hits = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in hits if not path.name.startswith("."))


def _timed(pictures: Iterable[av.VideoFrame]) -> Iterator[tuple[float, av.VideoFrame]]:
    """Each with its seconds from the first, ever later; where a time is missing or wrong, the last step is repeated."""
    start, time, step = None, -USUAL_STEP, USUAL_STEP
    for picture in pictures:
        start = picture.time if start is None else start
        seconds = time if picture.time is None or start is None else picture.time - start
        if seconds <= time:
            seconds = time + step
        time, step = seconds, seconds - time
        yield time, picture


def _measured_size(name: str, video: av.VideoCodecContext, height: int) -> tuple[int, int]:
    short = min(video.width, video.height)
    if short < SMALLEST_SIDE:
        raise SourceError(f"{name} is {video.width}x{video.height}, too small to measure.")
    scale = min(1.0, height / short)
    return round(video.width * scale), round(video.height * scale)


def _rgb(picture: av.VideoFrame, size_wh: tuple[int, int]) -> Rgb8:
    untagged_hd = picture.colorspace == UNSPECIFIED and picture.height >= HD_HEIGHT
    made = picture.reformat(
        *size_wh,
        "rgb24",
        src_colorspace=Colorspace.ITU709 if untagged_hd else None,
        interpolation=int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT),
    )
    return np.ascontiguousarray(made.to_ndarray(), np.uint8)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]
