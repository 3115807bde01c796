"""What ``python -m training.evaluate video`` measures: a colorizer on colour clips turned gray, held still and not.

``without`` stabilising, the effect is told that every frame starts a new shot, so that the net looks at each and
nothing is carried on; everything else, from the size that the net sees to the filter that brings its colours
to the picture's resolution, is the effect's own in both cases.
"""

import argparse
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import tee
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Literal, get_args

import av
import cv2
import numpy as np
from av.video.reformatter import Colorspace, Interpolation
from numpy.typing import NDArray

from emocolor.chroma import Gray, Rgb8, ab_of, luma_of, rgb_of
from emocolor.chroma_history import ChromaEstimate
from emocolor.cuts import CutDetector
from emocolor.effects.colorize import Colorize, ColorizeOptions
from emocolor.errors import ConfigurationError, SourceError
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.protocols import Colorist
from engines.colorist import load_colorist
from training.recolorers import baseline
from training.records import facts_of_machine
from training.video_metrics import LEAST_SHARE, SMALLEST_SIDE, Match, Matcher, VideoScores

SUFFIXES: Final = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".mpg", ".ts")
"""What counts as a clip in a folder, in either case; files that are named count whatever they are called."""
LEAST_FRAMES: Final = 8
"""Of the longest shot of a clip that is measured."""
LEAST_COLORFULNESS: Final = 5.0
"""Of a clip in the mean, by Hasler and Suesstrunk, who call 15 slightly colourful; old film that yellowed has less."""
LEAST_HEIGHT: Final = 64
"""px; below it colours cannot be told from blocks."""
HD_HEIGHT: Final = 720
"""From this height on an untagged picture is taken for BT.709, below for BT.601, as players do."""
UNSPECIFIED: Final = 2
"""FFmpeg's code of an unspecified matrix."""
USUAL_STEP: Final = 1 / 25
"""Seconds between frames, where a clip does not tell."""
CLOCK: Final = Fraction(1, 90_000)
FULL_RANGE: Final = ColorSpec(matrix="bt601", full_range=True)
COARSENESS: Final = 4
"""A baseline's map has one point for so many pixels across that the colorist sees, as the nets' maps have."""

Kind = Literal["without", "with", "truth"]
"""A net that looks at each frame alone, the same held still, and the clip as it was."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class VideoQuestion:
    """What to measure."""

    clips: tuple[Path, ...]
    """Folders (with subfolders) and files."""
    weights: str | None = None
    """A shipped net's name or an ONNX file; None for the net that ships, where ``baseline`` is None too."""
    baseline: str | None = None
    """``gray``, ``mean`` or a colormap, whose ab then follow from the gray level, instead of a net."""
    seconds: float = 10.0
    """How much of each clip is measured, from its start."""
    height: int = 256
    """Short side that clips are scaled down to, px; smaller ones stay as they are."""
    vividness: float | None = None
    """How vivid the net's answer shall be; None for the effect's own choice."""
    rate: float | None = None
    """Looks of the net a second where colours are held still, 0 for every frame; None for the effect's choice."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise ConfigurationError(f"--seconds must be a positive number, got {self.seconds:g}.")
        if self.height < LEAST_HEIGHT:
            raise ConfigurationError(f"--height must be at least {LEAST_HEIGHT}, got {self.height}.")
        if self.baseline is not None and (self.weights is not None or self.vividness is not None):
            raise ConfigurationError("--baseline goes without --weights and --vividness.")

    @property
    def options(self) -> ColorizeOptions:
        """Those of the effect that holds colours still; raises ``ConfigurationError`` where they are wrong."""
        given = {"net": self.weights, "vividness": self.vividness, "rate_hz": self.rate}
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return ColorizeOptions(**chosen)


@dataclass(frozen=True, kw_only=True)
class ClipFigures:
    """What one clip is like, coloured and as it was."""

    n: int
    """Frames."""
    followed: float
    """Part of the points whose motion can be believed, in [0, 1]."""
    of: dict[Kind, Figures]
    """As in ``training.video_metrics``; the truth's without ``psnr``."""


class ColorByLevel:
    """A colorist that has learnt nothing: each gray level has its colour."""

    def __init__(self, ab: NDArray[np.float32]) -> None:
        """``ab``: (256, 2) in CIELAB units."""
        self._ab = ab

    def estimate(self, gray: Gray, vividness: float) -> ChromaEstimate:
        """The colours of ``gray``, (H, W) uint8, at a quarter of its sides; ``vividness`` changes nothing."""
        size_wh = gray.shape[1] // COARSENESS, gray.shape[0] // COARSENESS
        small = cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA)
        return ChromaEstimate(ab=self._ab[small], confidence=np.ones(small.shape, np.float32))


def evaluate_video(question: VideoQuestion) -> dict[str, object]:
    """Figures of one colorizer over all clips that can be measured, each frame decoded once.

    Raises ``SourceError`` where there is no such clip.
    """
    options, paths = question.options, clips_in(question.clips)
    colorist = _colorist(question)
    measured, left_out = dict[str, ClipFigures](), dict[str, str]()
    for path in paths:
        try:
            measured[str(path)] = measure_clip(
                path, colorist, options, seconds=question.seconds, height=question.height
            )
        except SourceError as error:
            left_out[str(path)] = str(error)
    if not measured:
        raise SourceError(f"None of {len(paths)} clips can be measured; the first: {next(iter(left_out.values()))}")
    return {
        "weights": options.net if question.baseline is None else None,
        "baseline": question.baseline,
        "vividness": options.vividness if question.baseline is None else None,
        "rate_hz": options.rate_hz,
        "time_constant": options.history.time_constant,
        "look_ahead": options.history.look_ahead,
        "seconds": question.seconds,
        "height": question.height,
        **{kind: _mean([clip.of[kind] for clip in measured.values()]) for kind in KINDS},
        "n_clips": len(measured),
        "n_frames": sum(clip.n for clip in measured.values()),
        "clips": {name: {"n": clip.n, "followed": clip.followed, **clip.of} for name, clip in measured.items()},
        "left_out": left_out,
        "machine": facts_of_machine(),
    }


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


def measure_clip(
    path: Path, colorist: Colorist, options: ColorizeOptions, *, seconds: float, height: int
) -> ClipFigures:
    """Colour one clip frame by frame and held still, and compare; see :class:`VideoQuestion` for the limits.

    Raises ``SourceError``, in words that tell why, where it cannot be decoded or there is nothing to measure.
    """
    scores = _ClipScores(path.name)
    shown, shown_alone, shown_together = tee(_shown(read_clip(path, seconds=seconds, height=height)), 3)
    without = _colored(shown_alone, Colorize(options, colorist), each_alone=True)
    with_ = _colored(shown_together, Colorize(options, colorist), each_alone=False)
    # The tee keeps what one side has read ahead: the effect's look-ahead, however long the clip is.
    for truth, alone, stable in zip(shown, without, with_, strict=True):
        scores.add(truth, alone, stable)
    return scores.figures()


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


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate video``, named as the fields of ``VideoQuestion``."""
    parser.add_argument("--clips", type=Path, nargs="+", required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    parser.add_argument("--baseline", help="instead of a net: gray, mean, or a colormap such as turbo")
    parser.add_argument("--seconds", type=float, default=10.0, help="how much of each clip is measured")
    parser.add_argument("--height", type=int, default=256, help="short side that clips are scaled down to, px")
    parser.add_argument("--vividness", type=float, help="how vivid the net's answer shall be, 0 to 1")
    parser.add_argument("--rate", type=float, metavar="HZ", help="looks of the net where colours are held still")


@dataclass(frozen=True)
class _Shown:
    """A frame of the true clip."""

    time: float
    rgb: Rgb8
    gray: Gray
    cut: bool


class _ClipScores:
    """The figures of one clip, in the memory of one frame."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._scores = {kind: VideoScores() for kind in KINDS}
        self._matcher = Matcher()
        self._before: Gray | None = None
        self._shares: list[float] = []
        """Parts of the points whose motion is believed, of each pair of frames."""
        self._frames, self._shot, self._longest_shot = 0, 0, 0

    def add(self, shown: _Shown, without: Rgb8, with_: Rgb8) -> None:
        """Count the next frame and what it was coloured to."""
        match = self._match(shown)
        for scores, rgb in zip(self._scores.values(), (without, with_, shown.rgb), strict=True):
            scores.add(rgb, shown.rgb, match)
        self._frames += 1
        self._shot = 1 if match is None else self._shot + 1
        self._longest_shot = max(self._longest_shot, self._shot)

    def figures(self) -> ClipFigures:
        """Raises ``SourceError`` where they would mean nothing."""
        if self._longest_shot < LEAST_FRAMES:
            raise SourceError(f"{self._name} has fewer than {LEAST_FRAMES} frames without a cut.")
        if max(self._shares) < LEAST_SHARE:
            raise SourceError(f"{self._name} moves so that nothing can be followed.")
        found = {kind: scores.figures() for kind, scores in self._scores.items()}
        if found["truth"]["colorfulness"] < LEAST_COLORFULNESS:
            raise SourceError(f"{self._name} is gray.")
        del found["truth"]["psnr"]
        return ClipFigures(n=self._frames, followed=round(fmean(self._shares), 4), of=found)

    def _match(self, shown: _Shown) -> Match | None:
        """None where a shot starts."""
        before, self._before = self._before, shown.gray
        if before is None or shown.cut:
            return None
        match = self._matcher.match(before, shown.gray)
        self._shares.append(match.share)
        return match


def _colorist(question: VideoQuestion) -> Colorist:
    if question.baseline is None:
        return load_colorist(question.options.net, threads=os.cpu_count() or 1)
    levels = np.arange(256, dtype=np.uint8)[None]
    return ColorByLevel(ab_of(baseline(question.baseline)(levels))[0])


def _clips_below(folder: Path) -> list[Path]:
    hits = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in hits if not path.name.startswith("."))


def _shown(pictures: Iterable[tuple[float, Rgb8]]) -> Iterator[_Shown]:
    cuts = CutDetector()
    for time, rgb in pictures:
        gray = luma_of(rgb)
        yield _Shown(time, rgb, gray, cuts.is_cut(_frame(time, gray)))


def _colored(clip: Iterable[_Shown], effect: Colorize, *, each_alone: bool) -> Iterator[Rgb8]:
    """The effect's picture of each frame, late by as much as it looks ahead."""
    for shown in clip:
        for done in effect.add(_frame(shown.time, shown.gray), cut=each_alone or shown.cut):
            yield _painted_rgb(done)
    for done in effect.end():
        yield _painted_rgb(done)


def _frame(time: float, gray: Gray) -> Frame:
    """Gray as 4:4:4, so that chroma keeps the measuring size."""
    planes = gray, np.full_like(gray, 128), np.full_like(gray, 128)
    pts = round(time / CLOCK)
    return Frame(planes=planes, format=PIXEL_FORMATS["yuv444p"], color=FULL_RANGE, pts=pts, time_base=CLOCK)


def _painted_rgb(frame: Frame) -> Rgb8:
    chroma = (np.stack(frame.planes[1:], axis=2).astype(np.float32) - np.float32(128)) / np.float32(255)
    return rgb_of(np.asarray(frame.luma, np.uint8), chroma)


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


def _mean(figures: Sequence[Figures]) -> Figures:
    return {name: round(fmean(each[name] for each in figures), 6) for name in figures[0]}
