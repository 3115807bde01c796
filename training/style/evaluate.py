"""What ``python -m training.evaluate style`` measures: a style net on photos, on clips and by the clock."""

import argparse
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.emotions import Emotion
from emocolor.errors import ConfigurationError, EngineError, MissingDependencyError, SourceError

from ..colorizer.video_metrics import LEAST_SHARE, warp_error
from ..data.clips import MotionTracker, clips_in, read_clip, shown_frames
from ..data.photos import Photos, Rgb8, central_crop, read_photos
from ..records import JsonObject, facts_of_machine
from .candidates import PaintingNet, load_painting_net, only
from .paintings import read_style_picture

if TYPE_CHECKING:
    from .metrics import Losses, StyleScores

SMALLEST: Final = 64
"""px; in smaller pictures VGG16's deepest layer has too few points for a Gram matrix."""
MULTIPLE: Final = 4
"""Every net takes sides that are multiples of this."""
CLIP_HEIGHT: Final = 256
"""Short side that clips are scaled down to, px."""
TIMED_WH: Final = ((320, 180), (640, 360), (1280, 720))
ROUNDS: Final = 5
"""Frames of each size that are timed, after one that is not."""
TRUTH: Final = "truth"
"""A clip as it was, beside the emotions."""


@dataclass(frozen=True, kw_only=True)
class StyleEvalConfig:
    """What to measure."""

    content: tuple[Path, ...]
    """Photos: folders (with subfolders), tar files and pictures."""
    styles: Path
    """Folder of the paintings that the net learnt from."""
    weights: str | None = None
    """A shipped net's name, an ONNX file, or a finished run's folder; None for the net that ships."""
    vgg: Path | None = None
    """A file of VGG16's values or its folder; None for torchvision's, fetched once."""
    clips: tuple[Path, ...] = ()
    """Folders and files that the warp error is measured on."""
    seconds: float = 2.0
    """How much of each clip is measured, from its start."""
    size: int = 256
    """Side of the middle squares of photos, px."""
    style_size: int = 320
    """Short side that paintings are scaled to, px, as in training."""
    limit: int = 20
    """Most photos, taken evenly over the set."""
    gatys_steps: int = 300
    """Of the optimisation that the net is compared with; 0 leaves it out."""
    gatys_photos: int = 1
    """Photos, the first of those measured, that are optimised for each painting."""
    compiled: bool = False
    """Optimise with a compiled VGG16 in bfloat16: faster, after a minute."""
    style_weight: float = 6.0
    """Of style beside content in the optimisation, times the weight that the net's card gives a painting."""
    threads: int = os.cpu_count() or 1
    """Of the CPU."""

    def __post_init__(self) -> None:
        if self.size < SMALLEST or self.size % MULTIPLE:
            raise ConfigurationError(f"--size must be a multiple of {MULTIPLE}, at least {SMALLEST}, got {self.size}.")
        for name, least in (
            ("style_size", SMALLEST),
            ("limit", 1),
            ("gatys_steps", 0),
            ("gatys_photos", 1),
            ("threads", 1),
        ):
            if getattr(self, name) < least:
                option = name.replace("_", "-")
                raise ConfigurationError(f"--{option} must be at least {least}, got {getattr(self, name)}.")
        for option, number in (("seconds", self.seconds), ("style-weight", self.style_weight)):
            if not 0 < number < math.inf:
                raise ConfigurationError(f"--{option} must be a positive number, got {number:g}.")


def evaluate_style(question: StyleEvalConfig) -> JsonObject:
    """Figures of one net: losses on photos with their anchors, warp error on clips, milliseconds a frame.

    Raises as :func:`measure_net` and ``training.style.candidates.load_painting_net`` do.
    """
    return measure_net(load_painting_net(question.weights, threads=question.threads), question)


def measure_net(net: PaintingNet, question: StyleEvalConfig) -> JsonObject:
    """The figures of ``net``, whatever ``question`` says of weights.

    Losses are those of ``training.style.metrics`` and the warp error that of :func:`measure_clip`, of each style by
    itself. Raises ``SourceError`` for unusable photos, paintings and clips, ``EngineError`` for unusable values of
    VGG16 and a net that does not tell its paintings, and ``MissingDependencyError`` without torch.
    """
    clips = clips_in(question.clips) if question.clips else []
    paintings = {e: read_style_picture(_file_of(e, net, question), question.style_size) for e in net.paintings}
    photos = read_photos(question.content)
    squares = _squares(photos, question)
    scores = _scores(question, paintings)

    painted, unpainted = _losses(squares, net, scores)
    steadiness = _steadiness(clips, net, question.seconds)
    milliseconds = None if net.backend is None else _milliseconds(net, squares[0])
    # Last, as it takes far longer than all the rest.
    gatys = _gatys(squares, net, scores, painted, question) if question.gatys_steps else None
    return {
        "weights": net.name,
        "size": question.size,
        "style_size": question.style_size,
        "n": len(squares),
        "content_sha256": photos.sha256,
        **_means(painted),
        "anchors": {"content": _means(unpainted), "gatys": gatys},
        **steadiness,
        "ms_per_frame": milliseconds,
        "backend": net.backend,
        "threads": question.threads,
        "machine": facts_of_machine(),
    }


def measure_clip(path: Path, net: PaintingNet, *, seconds: float) -> tuple[dict[str, float], int]:
    """Warp error of the start of a clip, painted in each style and as it was (``truth``), and its number of frames.

    The mean absolute difference of R'G'B', of 255, between a frame and the one before, carried to it along the motion
    of the true picture where that can be believed; the mean over pairs of frames within a shot
    (``training.colorizer.video_metrics``). One frame of each style is held in memory. Raises ``SourceError`` where the clip
    cannot be decoded or followed.
    """
    motion_tracker = MotionTracker(path.name)
    errors: dict[str, list[float]] = {kind: [] for kind in (*net.paintings, TRUTH)}
    before: dict[str, NDArray[np.float32]] = {}
    pictures = read_clip(path, seconds=seconds, height=CLIP_HEIGHT)
    for shown in shown_frames((at, _cut_to_multiple(rgb)) for at, rgb in pictures):
        match = motion_tracker.match(shown)
        now = {str(emotion): net.paint(shown.rgb, only(emotion)).astype(np.float32) for emotion in net.paintings}
        now[TRUTH] = shown.rgb.astype(np.float32)
        if match is not None and match.share >= LEAST_SHARE:
            for kind, frame in now.items():
                errors[kind].append(warp_error(before[kind], frame, match))
        before = now
    motion_tracker.followed()
    return {kind: fmean(values) for kind, values in errors.items()}, len(motion_tracker)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate style``, named as the fields of ``StyleEvalConfig``."""
    parser.add_argument("--weights", help="a shipped net's name, an ONNX file or a run's folder (default: what ships)")
    parser.add_argument("--style-size", type=int, default=320, help="short side of paintings, px, as in training")
    parser.add_argument("--style-weight", type=float, default=6.0, help="of style beside content when optimising")
    add_measuring_options(parser)


def add_measuring_options(parser: argparse.ArgumentParser) -> None:
    """All but which net, and what its recipe tells."""
    parser.add_argument("--content", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR", help="photos to paint")
    parser.add_argument("--styles", type=Path, required=True, metavar="DIR", help="the paintings that the net learnt")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG16's values (default: torchvision's, fetched)")
    parser.add_argument("--clips", type=Path, nargs="+", default=[], metavar="DIR_OR_FILE", help="for the warp error")
    parser.add_argument("--seconds", type=float, default=2.0, help="how much of each clip is measured")
    parser.add_argument("--size", type=int, default=256, help="side of the middle squares of photos, px")
    parser.add_argument("--limit", type=int, default=20, help="most photos that are measured")
    parser.add_argument(
        "--gatys-steps", type=int, default=300,
        help="of the optimisation to compare with; 0 leaves it out (300 take minutes a painting on two cores)",
    )  # fmt: skip
    parser.add_argument("--gatys-photos", type=int, default=1, help="photos that are optimised for each painting")
    parser.add_argument(
        "--compiled", action="store_true",
        help="optimise with a compiled VGG16 in bfloat16: needs a C++ compiler, and is faster after a minute",
    )  # fmt: skip
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the CPU")


def _file_of(emotion: Emotion, net: PaintingNet, question: StyleEvalConfig) -> Path:
    file = net.paintings[emotion].file
    if not file:
        raise EngineError(
            f"The card of {net.name} does not tell the file of the painting for {emotion}. Export it again."
        )
    return question.styles / file


def _squares(photos: Photos, question: StyleEvalConfig) -> list[Rgb8]:
    indices = np.linspace(0, len(photos) - 1, min(question.limit, len(photos))).round().astype(int)
    return [central_crop(photos.photo(int(index)), question.size) for index in indices]


def _scores(question: StyleEvalConfig, paintings: Mapping[Emotion, Rgb8]) -> "StyleScores":
    try:
        import torch

        from .metrics import StyleScores
    except ModuleNotFoundError as error:
        raise MissingDependencyError("Losses of style need torch: pip install 'emocolor-stream[train]'.") from error
    torch.set_num_threads(question.threads)
    return StyleScores(question.vgg, paintings)


_ByStyle = dict[Emotion, list["Losses"]]
"""Of each photo, by style."""


def _losses(photos: Sequence[Rgb8], net: PaintingNet, scores: "StyleScores") -> tuple[_ByStyle, _ByStyle]:
    """Of the photos painted, and of the photos themselves."""
    painted: _ByStyle = {emotion: [] for emotion in net.paintings}
    unpainted: _ByStyle = {emotion: [] for emotion in net.paintings}
    for photo in photos:
        own = scores.features(photo)
        for emotion in net.paintings:
            features = scores.features(net.paint(photo, only(emotion)))
            painted[emotion].append(scores.losses(features, own, emotion))
            unpainted[emotion].append(scores.losses(own, own, emotion))
    return painted, unpainted


def _gatys(
    photos: Sequence[Rgb8], net: PaintingNet, scores: "StyleScores", painted: _ByStyle, question: StyleEvalConfig
) -> JsonObject:
    """What optimising the first photos reaches, and, for comparison, what the net makes of the same ones."""
    few = photos[: question.gatys_photos]
    reached: _ByStyle = {emotion: [] for emotion in net.paintings}
    for photo in few:
        own = scores.features(photo)
        for emotion, painting in net.paintings.items():
            weight = question.style_weight * painting.weight
            picture = scores.optimised(
                photo, emotion, steps=question.gatys_steps, style_weight=weight, compiled=question.compiled
            )
            reached[emotion].append(scores.losses(scores.features(picture), own, emotion))
    return {
        "steps": question.gatys_steps,
        "precision": "bf16" if question.compiled else "f32",
        "photos": len(few),
        "style_weight": question.style_weight,
        **_means(reached),
        "net": _means({emotion: losses[: len(few)] for emotion, losses in painted.items()}),
    }


def _means(losses: _ByStyle) -> JsonObject:
    """Means over photos by style, and of content over all."""
    content = {emotion: round(fmean(one.content for one in many), 4) for emotion, many in losses.items()}
    style = {emotion: round(fmean(one.style for one in many), 4) for emotion, many in losses.items()}
    return {"content_loss": round(fmean(content.values()), 4), "style_loss": style, "content_by_style": content}


def _steadiness(clips: Sequence[Path], net: PaintingNet, seconds: float) -> JsonObject:
    """``warp_error``, the mean over the clips that can be measured, and ``clips``, which ones; nulls without any."""
    if not clips:
        return {"warp_error": None, "clips": None}
    measured, left_out, frames = dict[Path, dict[str, float]](), dict[str, str](), 0
    for path in clips:
        try:
            measured[path], count = measure_clip(path, net, seconds=seconds)
            frames += count
        except SourceError as error:
            left_out[path.name] = str(error)
    if not measured:
        raise SourceError(f"None of {len(clips)} clips can be measured; the first: {next(iter(left_out.values()))}")
    found = {kind: round(fmean(one[kind] for one in measured.values()), 3) for kind in (*net.paintings, TRUTH)}
    truth = found.pop(TRUTH)
    return {
        "warp_error": {"painted": round(fmean(found.values()), 3), "truth": truth, "by_style": found},
        "clips": {
            "n_clips": len(measured),
            "n_frames": frames,
            "seconds": seconds,
            "height": CLIP_HEIGHT,
            "left_out": left_out,
        },
    }


def _milliseconds(net: PaintingNet, photo: Rgb8) -> dict[str, float]:
    """Median time of painting a picture, by size."""
    mixture, found = only(next(iter(net.paintings))), dict[str, float]()
    for width, height in TIMED_WH:
        picture = np.asarray(cv2.resize(photo, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        seconds = []
        for _ in range(1 + ROUNDS):
            started = time.perf_counter()
            net.paint(picture, mixture)
            seconds.append(time.perf_counter() - started)
        found[f"{width}x{height}"] = round(1e3 * median(seconds[1:]), 2)
    return found


def _cut_to_multiple(rgb: Rgb8) -> Rgb8:
    height, width = (side - side % MULTIPLE for side in rgb.shape[:2])
    return np.ascontiguousarray(rgb[:height, :width])
