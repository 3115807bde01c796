"""What ``python -m training.evaluate video`` measures: a colorizer on colour clips turned gray.

Each clip is colorized twice by the effect ``colorize``: ``per_frame``, where every frame counts as the start of a shot,
so that the net runs on each and no colour is propagated, and ``stabilized``. Everything else, from the size of the
net's input to the filter that brings its colours to full resolution, is the effect's own in both cases.
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

from emocolor.arrays import GrayImage, RgbImage
from emocolor.chroma.conversion import ab_of, rgb_of
from emocolor.chroma.stabilizer import ChromaEstimate
from emocolor.effects.colorize import Colorize, ColorizeOptions
from emocolor.errors import ConfigurationError, SourceError
from emocolor.frames import Frame
from emocolor.protocols import Colorizer
from engines.colorizer import load_colorizer

from ..data.clips import ClipFrame, find_clips, gray_frame, read_clip
from ..data.motion import MotionTracker
from ..records import machine_info
from .recolorers import baseline_recolorer
from .video_metrics import VideoMetrics

MIN_COLORFULNESS: Final = 5.0
"""Mean colourfulness of a clip that is measured (Hasler and Suesstrunk, who call 15 slightly colourful); yellowed
black-and-white film has less."""
MIN_HEIGHT: Final = 64
"""px; colours cannot be told from blocks below it."""
BASELINE_STRIDE: Final = 4
"""Pixels of the input per point of a baseline's ab map, as with the nets."""

Variant = Literal["per_frame", "stabilized", "truth"]
"""The net on every frame by itself, the same temporally stabilized, and the original clip."""
VARIANTS: Final[tuple[Variant, ...]] = get_args(Variant)
Metrics = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class VideoEvalConfig:
    """A colorizer, and the clips to measure it on."""

    clips: tuple[Path, ...]
    """Folders (with subfolders) and files."""
    weights: str | None = None
    """A shipped net's name or an ONNX file; None for the net that ships, unless ``baseline`` is set."""
    baseline: str | None = None
    """``gray``, ``mean`` or a colormap, whose ab then follow from the gray level, instead of a net."""
    seconds: float = 10.0
    """How much of each clip is measured, from its start."""
    height: int = 256
    """Short side that clips are scaled down to, px; smaller ones stay as they are."""
    vividness: float | None = None
    """Vividness of the net's colours; None for the effect's default."""
    rate: float | None = None
    """Inferences per second where colours are stabilized, 0 for every frame; None for the effect's default."""

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise ConfigurationError(f"seconds must be a positive number, got {self.seconds:g}.")
        if self.height < MIN_HEIGHT:
            raise ConfigurationError(f"height must be at least {MIN_HEIGHT}, got {self.height}.")
        if self.baseline is not None and (self.weights is not None or self.vividness is not None):
            raise ConfigurationError("A baseline takes neither weights nor vividness. Set either it or them.")

    @property
    def options(self) -> ColorizeOptions:
        """Those of the effect; raises ``ConfigurationError`` where they are wrong."""
        given = {"net": self.weights, "vividness": self.vividness, "rate_hz": self.rate}
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return ColorizeOptions(**chosen)


@dataclass(frozen=True, kw_only=True)
class ClipMetrics:
    """Metrics of one clip."""

    n: int
    """Frames."""
    consistent_share: float
    """Share of the points whose optical flow is consistent, in [0, 1]."""
    by_variant: dict[Variant, Metrics]
    """Those of ``training.colorizer.video_metrics``; the truth's without ``psnr``."""


class LevelColorizer:
    """A colorizer without training: each gray level has its colour."""

    def __init__(self, ab: NDArray[np.float32]) -> None:
        """``ab``: (256, 2) in CIELAB units."""
        self._ab = ab

    def estimate(self, gray: GrayImage, vividness: float) -> ChromaEstimate:
        """The colours of ``gray``, (H, W) uint8, at a quarter of its sides; ``vividness`` changes nothing."""
        size_wh = gray.shape[1] // BASELINE_STRIDE, gray.shape[0] // BASELINE_STRIDE
        small = cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA)
        return ChromaEstimate(ab=self._ab[small], confidence=np.ones(small.shape, np.float32))


def evaluate_video(config: VideoEvalConfig) -> dict[str, object]:
    """Metrics of one colorizer over all clips that can be measured; each frame is decoded once.

    Raises ``SourceError`` where there is no such clip.
    """
    options, paths = config.options, find_clips(config.clips)
    colorizer = _colorizer(config)
    measured, skipped = dict[str, ClipMetrics](), dict[str, str]()
    for path in paths:
        try:
            measured[str(path)] = measure_clip(path, colorizer, options, seconds=config.seconds, height=config.height)
        except SourceError as error:
            skipped[str(path)] = str(error)
    if not measured:
        raise SourceError(f"None of {len(paths)} clips can be measured; the first: {next(iter(skipped.values()))}")
    return {
        "weights": options.net if config.baseline is None else None,
        "baseline": config.baseline,
        "vividness": options.vividness if config.baseline is None else None,
        "rate_hz": options.rate_hz,
        "time_constant": options.stabilization.time_constant,
        "look_ahead": options.stabilization.look_ahead,
        "seconds": config.seconds,
        "height": config.height,
        **{variant: _mean([clip.by_variant[variant] for clip in measured.values()]) for variant in VARIANTS},
        "n_clips": len(measured),
        "n_frames": sum(clip.n for clip in measured.values()),
        "clips": {
            name: {"n": clip.n, "consistent_share": clip.consistent_share, **clip.by_variant}
            for name, clip in measured.items()
        },
        "left_out": skipped,
        "machine": machine_info(),
    }


def measure_clip(
    path: Path, colorizer: Colorizer, options: ColorizeOptions, *, seconds: float, height: int
) -> ClipMetrics:
    """Colorize one clip per frame and stabilized, and compare; see :class:`VideoEvalConfig` for the limits.

    Raises ``SourceError`` with the reason where it cannot be decoded or there is nothing to measure.
    """
    accumulated = _ClipAccumulator(path.name)
    frames, for_per_frame, for_stabilized = tee(read_clip(path, seconds=seconds, height=height), 3)
    per_frame = _colorized(for_per_frame, Colorize(options, colorizer), every_frame_cuts=True)
    stabilized = _colorized(for_stabilized, Colorize(options, colorizer), every_frame_cuts=False)
    # The tee buffers only the effect's look-ahead, however long the clip is.
    for truth, alone, stable in zip(frames, per_frame, stabilized, strict=True):
        accumulated.update(truth, alone, stable)
    return accumulated.compute()


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate video``, named as the fields of ``VideoEvalConfig``."""
    parser.add_argument("--clips", type=Path, nargs="+", required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    parser.add_argument("--baseline", help="instead of a net: gray, mean, or a colormap such as turbo")
    parser.add_argument("--seconds", type=float, default=10.0, help="how much of each clip is measured")
    parser.add_argument("--height", type=int, default=256, help="short side that clips are scaled down to, px")
    parser.add_argument("--vividness", type=float, help="vividness of the net's colours, 0 to 1")
    parser.add_argument("--rate", type=float, metavar="HZ", help="inferences per second where colours are stabilized")


class _ClipAccumulator:
    """Metrics of one clip, in the memory of one frame."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._metrics = {variant: VideoMetrics() for variant in VARIANTS}
        self._motion = MotionTracker(name)

    def update(self, frame: ClipFrame, per_frame: RgbImage, stabilized: RgbImage) -> None:
        """Count the next frame and its two colorizations."""
        flow = self._motion.update(frame)
        for metrics, rgb in zip(self._metrics.values(), (per_frame, stabilized, frame.rgb), strict=True):
            metrics.update(rgb, frame.rgb, flow)

    def compute(self) -> ClipMetrics:
        """Raises ``SourceError`` where the metrics would mean nothing."""
        share = self._motion.consistent_share()
        found = {variant: metrics.compute() for variant, metrics in self._metrics.items()}
        if found["truth"]["colorfulness"] < MIN_COLORFULNESS:
            raise SourceError(f"{self._name} is gray.")
        del found["truth"]["psnr"]
        return ClipMetrics(n=len(self._motion), consistent_share=round(share, 4), by_variant=found)


def _colorizer(config: VideoEvalConfig) -> Colorizer:
    if config.baseline is None:
        return load_colorizer(config.options.net, threads=os.cpu_count() or 1)
    levels = np.arange(256, dtype=np.uint8)[None]
    return LevelColorizer(ab_of(baseline_recolorer(config.baseline)(levels))[0])


def _colorized(clip: Iterable[ClipFrame], effect: Colorize, *, every_frame_cuts: bool) -> Iterator[RgbImage]:
    """The effect's result for each frame, late by its look-ahead."""
    for frame in clip:
        for done in effect.add(gray_frame(frame.time, frame.gray), cut=every_frame_cuts or frame.cut):
            yield _rgb(done)
    for done in effect.end():
        yield _rgb(done)


def _rgb(frame: Frame) -> RgbImage:
    chroma = (np.stack(frame.planes[1:], axis=2).astype(np.float32) - np.float32(128)) / np.float32(255)
    return rgb_of(np.asarray(frame.luma, np.uint8), chroma)


def _mean(clips: Sequence[Metrics]) -> Metrics:
    return {name: round(fmean(each[name] for each in clips), 6) for name in clips[0]}
