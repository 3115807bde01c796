"""What ``python -m training.evaluate style`` measures: a style net on photos, on clips and by the clock."""

import argparse
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import RgbImage
from emocolor.emotions import Emotion
from emocolor.errors import ConfigurationError, EngineError, MissingDependencyError, SourceError

from ..data.clips import ClipFrame, find_clips, read_clip
from ..data.motion import MIN_CONSISTENT_SHARE, MotionTracker, warp_error
from ..data.photos import center_crop, read_photos
from ..records import JsonObject, machine_info
from .candidates import CandidateNet, load_candidate, single_style
from .paintings import read_painting

if TYPE_CHECKING:
    from .metrics import Losses, StyleMetrics

MIN_SIZE: Final = 64
"""px; in smaller images VGG16's deepest layer has too few points for a Gram matrix."""
MULTIPLE: Final = 4
"""All nets take sides that are multiples of this."""
CLIP_HEIGHT: Final = 256
"""Short side that clips are scaled down to, px."""
TIMED_WH: Final = ((320, 180), (640, 360), (1280, 720))
ROUNDS: Final = 5
"""Timed frames of each size, after one for warm-up."""
TRUTH: Final = "truth"
"""The original clip, beside the emotions."""


@dataclass(frozen=True, kw_only=True)
class StyleEvalConfig:
    """A style net, and the photos, paintings and clips to measure it on."""

    content: tuple[Path, ...]
    """Photos: folders (with subfolders), tar files and files."""
    styles: Path
    """Folder of the net's paintings."""
    weights: str | None = None
    """A shipped net's name, an ONNX file, or a finished run's folder; None for the net that ships."""
    vgg: Path | None = None
    """A file of VGG16's values or its folder; None for torchvision's, downloaded once."""
    clips: tuple[Path, ...] = ()
    """Folders and files that the warp error is measured on."""
    seconds: float = 2.0
    """How much of each clip is measured, from its start."""
    size: int = 256
    """Side of the central squares of photos, px."""
    style_size: int = 320
    """Short side that paintings are scaled to, px, as in training."""
    limit: int = 20
    """Maximum number of photos, taken evenly over the set."""
    gatys_steps: int = 300
    """Steps of the direct optimisation that the net is compared with; 0 for none."""
    gatys_photos: int = 1
    """Photos that are optimised for each painting, the first of those measured."""
    compiled: bool = False
    """Optimise with a compiled VGG16 in bfloat16, which is faster after a minute of compilation."""
    style_weight: float = 6.0
    """Style weight of the optimisation, relative to content; multiplied by the painting's weight in the net's card."""
    threads: int = os.cpu_count() or 1
    """Of the CPU."""

    def __post_init__(self) -> None:
        if self.size < MIN_SIZE or self.size % MULTIPLE:
            raise ConfigurationError(f"size must be a multiple of {MULTIPLE}, at least {MIN_SIZE}, got {self.size}.")
        for name, least in (
            ("style_size", MIN_SIZE),
            ("limit", 1),
            ("gatys_steps", 0),
            ("gatys_photos", 1),
            ("threads", 1),
        ):
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {getattr(self, name)}.")
        for name, number in (("seconds", self.seconds), ("style_weight", self.style_weight)):
            if not 0 < number < math.inf:
                raise ConfigurationError(f"{name} must be a positive number, got {number:g}.")


def evaluate_style(config: StyleEvalConfig) -> JsonObject:
    """Metrics of one net: losses on photos with their anchors, warp error on clips, milliseconds per frame.

    Raises as :func:`measure_net` and ``training.style.candidates.load_candidate`` do.
    """
    return measure_net(load_candidate(config.weights, threads=config.threads), config)


def measure_net(net: CandidateNet, config: StyleEvalConfig) -> JsonObject:
    """The metrics of ``net``, whatever ``config.weights`` is.

    Losses are those of ``training.style.metrics``, and the warp error that of :func:`measure_clip`, for each style by
    itself. Raises ``SourceError`` for unusable photos, paintings and clips, ``EngineError`` for unusable values of
    VGG16 and a net whose card does not name the files of its paintings, and ``MissingDependencyError`` without torch.
    """
    clips = find_clips(config.clips) if config.clips else []
    paintings = {e: read_painting(_painting_file(e, net, config), config.style_size) for e in net.paintings}
    photos = read_photos(config.content)
    squares = [center_crop(photos.photo(index), config.size) for index in photos.evenly(config.limit)]
    metrics = _style_metrics(config, paintings)

    stylized, originals = _losses(squares, net, metrics)
    consistency = _consistency(clips, net, config.seconds)
    milliseconds = None if net.backend is None else _milliseconds(net, squares[0])
    # Last, as it takes far longer than all the rest.
    gatys = _gatys(squares, net, metrics, stylized, config) if config.gatys_steps else None
    return {
        "weights": net.name,
        "size": config.size,
        "style_size": config.style_size,
        "n": len(squares),
        "content_sha256": photos.sha256,
        **_means(stylized),
        "anchors": {"content": _means(originals), "gatys": gatys},
        **consistency,
        "ms_per_frame": milliseconds,
        "backend": net.backend,
        "threads": config.threads,
        "machine": machine_info(),
    }


def measure_clip(path: Path, net: CandidateNet, *, seconds: float) -> tuple[dict[str, float], int]:
    """Warp error of the start of a clip in each style and in the original (``truth``), and its number of frames.

    The mean absolute difference of R'G'B', of 255, between a frame and the one before, warped to it along the optical
    flow of the original where that is consistent; the mean over pairs of frames within a shot
    (``training.data.motion``). One frame of each style is held in memory. Raises ``SourceError`` where the clip cannot
    be decoded or followed.
    """
    motion = MotionTracker(path.name)
    errors: dict[str, list[float]] = {kind: [] for kind in (*net.paintings, TRUTH)}
    before: dict[str, NDArray[np.float32]] = {}
    for frame in map(_cropped_to_multiple, read_clip(path, seconds=seconds, height=CLIP_HEIGHT)):
        flow = motion.update(frame)
        now = {str(e): net.stylize(frame.rgb, single_style(e)).astype(np.float32) for e in net.paintings}
        now[TRUTH] = frame.rgb.astype(np.float32)
        if flow is not None and flow.consistent_share >= MIN_CONSISTENT_SHARE:
            for kind, rgb in now.items():
                errors[kind].append(warp_error(before[kind], rgb, flow))
        before = now
    motion.consistent_share()  # raises where there was too little to measure
    return {kind: fmean(values) for kind, values in errors.items()}, len(motion)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate style``, named as the fields of ``StyleEvalConfig``."""
    parser.add_argument("--weights", help="a shipped net's name, an ONNX file or a run's folder (default: what ships)")
    parser.add_argument("--style-size", type=int, default=320, help="short side of paintings, px, as in training")
    parser.add_argument(
        "--style-weight", type=float, default=6.0, help="style weight of the optimisation, relative to content"
    )
    add_measuring_options(parser)


def add_measuring_options(parser: argparse.ArgumentParser) -> None:
    """All options but the net and those that its recipe determines."""
    parser.add_argument(
        "--content", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR", help="photos to stylize"
    )
    parser.add_argument("--styles", type=Path, required=True, metavar="DIR", help="folder of the net's paintings")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG16's values (default: torchvision's, downloaded)")
    parser.add_argument("--clips", type=Path, nargs="+", default=[], metavar="DIR_OR_FILE", help="for the warp error")
    parser.add_argument("--seconds", type=float, default=2.0, help="how much of each clip is measured")
    parser.add_argument("--size", type=int, default=256, help="side of the central squares of photos, px")
    parser.add_argument("--limit", type=int, default=20, help="maximum number of photos")
    parser.add_argument(
        "--gatys-steps", type=int, default=300,
        help="steps of the direct optimisation; 0 for none (300 take minutes per painting on two cores)",
    )  # fmt: skip
    parser.add_argument("--gatys-photos", type=int, default=1, help="photos that are optimised for each painting")
    parser.add_argument(
        "--compiled", action="store_true",
        help="optimise with a compiled VGG16 in bfloat16, which needs a C++ compiler and a minute to compile",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the CPU")


def _painting_file(emotion: Emotion, net: CandidateNet, config: StyleEvalConfig) -> Path:
    file = net.paintings[emotion].file
    if not file:
        raise EngineError(
            f"The card of {net.name} does not name the file of the painting for {emotion}. Export it again."
        )
    return config.styles / file


def _style_metrics(config: StyleEvalConfig, paintings: Mapping[Emotion, RgbImage]) -> "StyleMetrics":
    try:
        import torch

        from .metrics import StyleMetrics
    except ModuleNotFoundError as error:
        raise MissingDependencyError("Style losses need torch: pip install 'emocolor-stream[train]'.") from error
    torch.set_num_threads(config.threads)
    return StyleMetrics(config.vgg, paintings)


_ByStyle = dict[Emotion, list["Losses"]]
"""Of each photo, by style."""


def _losses(photos: Sequence[RgbImage], net: CandidateNet, metrics: "StyleMetrics") -> tuple[_ByStyle, _ByStyle]:
    """Of the stylized photos, and of the original ones."""
    stylized: _ByStyle = {emotion: [] for emotion in net.paintings}
    originals: _ByStyle = {emotion: [] for emotion in net.paintings}
    for photo in photos:
        own = metrics.features(photo)
        for emotion in net.paintings:
            features = metrics.features(net.stylize(photo, single_style(emotion)))
            stylized[emotion].append(metrics.losses(features, own, emotion))
            originals[emotion].append(metrics.losses(own, own, emotion))
    return stylized, originals


def _gatys(
    photos: Sequence[RgbImage], net: CandidateNet, metrics: "StyleMetrics", stylized: _ByStyle, config: StyleEvalConfig
) -> JsonObject:
    """Losses of direct optimisation of the first photos, and those of the net on the same."""
    few = photos[: config.gatys_photos]
    optimised: _ByStyle = {emotion: [] for emotion in net.paintings}
    for photo in few:
        own = metrics.features(photo)
        for emotion, painting in net.paintings.items():
            weight = config.style_weight * painting.weight
            image = metrics.optimize(
                photo, emotion, steps=config.gatys_steps, style_weight=weight, compiled=config.compiled
            )
            optimised[emotion].append(metrics.losses(metrics.features(image), own, emotion))
    return {
        "steps": config.gatys_steps,
        "precision": "bf16" if config.compiled else "f32",
        "photos": len(few),
        "style_weight": config.style_weight,
        **_means(optimised),
        "net": _means({emotion: losses[: len(few)] for emotion, losses in stylized.items()}),
    }


def _means(losses: _ByStyle) -> JsonObject:
    """Means over photos by style, and of content over all."""
    content = {emotion: round(fmean(one.content for one in many), 4) for emotion, many in losses.items()}
    style = {emotion: round(fmean(one.style for one in many), 4) for emotion, many in losses.items()}
    return {"content_loss": round(fmean(content.values()), 4), "style_loss": style, "content_by_style": content}


def _consistency(clips: Sequence[Path], net: CandidateNet, seconds: float) -> JsonObject:
    """``warp_error``, the mean over the clips that can be measured, and ``clips``, which ones; nulls without any."""
    if not clips:
        return {"warp_error": None, "clips": None}
    measured, skipped, frames = dict[Path, dict[str, float]](), dict[str, str](), 0
    for path in clips:
        try:
            measured[path], count = measure_clip(path, net, seconds=seconds)
            frames += count
        except SourceError as error:
            skipped[path.name] = str(error)
    if not measured:
        raise SourceError(f"None of {len(clips)} clips can be measured; the first: {next(iter(skipped.values()))}")
    means = {kind: round(fmean(one[kind] for one in measured.values()), 3) for kind in (*net.paintings, TRUTH)}
    truth = means.pop(TRUTH)
    return {
        "warp_error": {"painted": round(fmean(means.values()), 3), "truth": truth, "by_style": means},
        "clips": {
            "n_clips": len(measured),
            "n_frames": frames,
            "seconds": seconds,
            "height": CLIP_HEIGHT,
            "left_out": skipped,
        },
    }


def _milliseconds(net: CandidateNet, photo: RgbImage) -> dict[str, float]:
    """Median time per frame, by size."""
    mixture, found = single_style(next(iter(net.paintings))), dict[str, float]()
    for width, height in TIMED_WH:
        image = np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        seconds = []
        for _ in range(1 + ROUNDS):
            started = time.perf_counter()
            net.stylize(image, mixture)
            seconds.append(time.perf_counter() - started)
        found[f"{width}x{height}"] = round(1e3 * median(seconds[1:]), 2)
    return found


def _cropped_to_multiple(frame: ClipFrame) -> ClipFrame:
    height, width = (side - side % MULTIPLE for side in frame.gray.shape)
    return replace(
        frame,
        rgb=np.ascontiguousarray(frame.rgb[:height, :width]),
        gray=np.ascontiguousarray(frame.gray[:height, :width]),
    )
