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
from itertools import tee
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.chroma.conversion import Gray, Rgb8, ab_of, rgb_of
from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.effects.colorize import Colorize, ColorizeOptions
from emocolor.errors import ConfigurationError, SourceError
from emocolor.frames import Frame
from emocolor.protocols import Colorizer
from engines.colorizer import load_colorizer

from ..data.clips import MotionTracker, Shown, clips_in, gray_frame, read_clip, shown_frames
from ..records import facts_of_machine
from .recolorers import baseline
from .video_metrics import VideoScores

LEAST_COLORFULNESS: Final = 5.0
"""Of a clip in the mean, by Hasler and Suesstrunk, who call 15 slightly colourful; old film that yellowed has less."""
LEAST_HEIGHT: Final = 64
"""px; below it colours cannot be told from blocks."""
COARSENESS: Final = 4
"""A baseline's map has one point for so many pixels across that the colorist sees, as the nets' maps have."""

Kind = Literal["without", "with", "truth"]
"""A net that looks at each frame alone, the same held still, and the clip as it was."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class VideoEvalConfig:
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
    """As in ``training.colorizer.video_metrics``; the truth's without ``psnr``."""


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


def evaluate_video(question: VideoEvalConfig) -> dict[str, object]:
    """Figures of one colorizer over all clips that can be measured, each frame decoded once.

    Raises ``SourceError`` where there is no such clip.
    """
    options, paths = question.options, clips_in(question.clips)
    colorizer = _colorist(question)
    measured, left_out = dict[str, ClipFigures](), dict[str, str]()
    for path in paths:
        try:
            measured[str(path)] = measure_clip(
                path, colorizer, options, seconds=question.seconds, height=question.height
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


def measure_clip(
    path: Path, colorizer: Colorizer, options: ColorizeOptions, *, seconds: float, height: int
) -> ClipFigures:
    """Colour one clip frame by frame and held still, and compare; see :class:`VideoEvalConfig` for the limits.

    Raises ``SourceError``, in words that tell why, where it cannot be decoded or there is nothing to measure.
    """
    scores = _ClipScores(path.name)
    shown, shown_alone, shown_together = tee(shown_frames(read_clip(path, seconds=seconds, height=height)), 3)
    without = _colored(shown_alone, Colorize(options, colorizer), each_alone=True)
    with_ = _colored(shown_together, Colorize(options, colorizer), each_alone=False)
    # The tee keeps what one side has read ahead: the effect's look-ahead, however long the clip is.
    for truth, alone, stable in zip(shown, without, with_, strict=True):
        scores.add(truth, alone, stable)
    return scores.figures()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate video``, named as the fields of ``VideoEvalConfig``."""
    parser.add_argument("--clips", type=Path, nargs="+", required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    parser.add_argument("--baseline", help="instead of a net: gray, mean, or a colormap such as turbo")
    parser.add_argument("--seconds", type=float, default=10.0, help="how much of each clip is measured")
    parser.add_argument("--height", type=int, default=256, help="short side that clips are scaled down to, px")
    parser.add_argument("--vividness", type=float, help="how vivid the net's answer shall be, 0 to 1")
    parser.add_argument("--rate", type=float, metavar="HZ", help="looks of the net where colours are held still")


class _ClipScores:
    """The figures of one clip, in the memory of one frame."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._scores = {kind: VideoScores() for kind in KINDS}
        self._follower = MotionTracker(name)

    def add(self, shown: Shown, without: Rgb8, with_: Rgb8) -> None:
        """Count the next frame and what it was coloured to."""
        match = self._follower.match(shown)
        for scores, rgb in zip(self._scores.values(), (without, with_, shown.rgb), strict=True):
            scores.add(rgb, shown.rgb, match)

    def figures(self) -> ClipFigures:
        """Raises ``SourceError`` where they would mean nothing."""
        followed = self._follower.followed()
        found = {kind: scores.figures() for kind, scores in self._scores.items()}
        if found["truth"]["colorfulness"] < LEAST_COLORFULNESS:
            raise SourceError(f"{self._name} is gray.")
        del found["truth"]["psnr"]
        return ClipFigures(n=len(self._follower), followed=round(followed, 4), of=found)


def _colorist(question: VideoEvalConfig) -> Colorizer:
    if question.baseline is None:
        return load_colorizer(question.options.net, threads=os.cpu_count() or 1)
    levels = np.arange(256, dtype=np.uint8)[None]
    return ColorByLevel(ab_of(baseline(question.baseline)(levels))[0])


def _colored(clip: Iterable[Shown], effect: Colorize, *, each_alone: bool) -> Iterator[Rgb8]:
    """The effect's picture of each frame, late by as much as it looks ahead."""
    for shown in clip:
        for done in effect.add(gray_frame(shown.time, shown.gray), cut=each_alone or shown.cut):
            yield _painted_rgb(done)
    for done in effect.end():
        yield _painted_rgb(done)


def _painted_rgb(frame: Frame) -> Rgb8:
    chroma = (np.stack(frame.planes[1:], axis=2).astype(np.float32) - np.float32(128)) / np.float32(255)
    return rgb_of(np.asarray(frame.luma, np.uint8), chroma)


def _mean(figures: Sequence[Figures]) -> Figures:
    return {name: round(fmean(each[name] for each in figures), 6) for name in figures[0]}
