"""What ``python -m training.evaluate colorizer`` measures: a colorizer on photos turned gray."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from emocolor.chroma.conversion import luma_of
from emocolor.errors import ConfigurationError, MissingDependencyError

from ..data.photos import central_crop, read_photos
from .metrics import ColorizerScores
from .recolorers import Recolorer, baseline, shipped

Distance = Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]
SMALLEST = 32
"""px; below it little of a photo is left."""


@dataclass(frozen=True, kw_only=True)
class ColorizerEvalConfig:
    """What to measure."""

    images: tuple[Path, ...]
    """Folders (with subfolders), tar files and pictures."""
    size: int = 256
    """Side of the middle square that is measured, px."""
    weights: str | None = None
    """A shipped net's name or an ONNX file; None for the net that ships, where ``baseline`` is None too."""
    baseline: str | None = None
    """``gray``, ``mean`` or a colormap, instead of a net."""
    vgg: Path | None = None
    """An npz file of VGG16's values, or its folder."""
    vividness: float | None = None
    """How vivid the net's answer shall be; None for its own choice."""

    def __post_init__(self) -> None:
        if self.size < SMALLEST:
            raise ConfigurationError(f"--size must be at least {SMALLEST}, got {self.size}.")
        if self.baseline is not None and (self.weights is not None or self.vividness is not None):
            raise ConfigurationError("--baseline goes without --weights and --vividness.")
        if self.vividness is not None and not 0 <= self.vividness <= 1:
            raise ConfigurationError(f"--vividness must lie between 0 and 1, got {self.vividness:g}.")


def evaluate_colorizer(question: ColorizerEvalConfig) -> dict[str, object]:
    """Figures of one colorizer over all photos, one decoded at a time.

    ``vgg_distance`` is the mean of ``training.style.vgg.feature_distance`` at relu3_3, or None; ``ms_per_image``
    the median time of the colorizer alone. The other figures are those of ``training.colorizer.metrics``.
    """
    recolor = _recolorer(question)
    distance = None if question.vgg is None else _vgg_distance(question.vgg)
    photos = read_photos(question.images)
    scores, seconds, distances = ColorizerScores(), list[float](), list[float]()
    for index in range(len(photos)):
        truth = central_crop(photos.photo(index), question.size)
        gray = luma_of(truth)
        started = time.perf_counter()
        predicted = recolor(gray)
        seconds.append(time.perf_counter() - started)
        scores.add(predicted, truth)
        if distance:
            distances.append(distance(predicted, truth))
    return {
        "weights": question.weights,
        "baseline": question.baseline,
        "vividness": question.vividness,
        "size": question.size,
        **scores.figures(),
        "vgg_distance": round(fmean(distances), 4) if distances else None,
        "ms_per_image": round(1e3 * median(seconds), 2),
        "n": len(scores),
    }


def _recolorer(question: ColorizerEvalConfig) -> Recolorer:
    if question.baseline is not None:
        return baseline(question.baseline)
    return shipped(question.weights, question.vividness)


def _vgg_distance(path: Path) -> Distance:
    try:
        from ..style.vgg import Vgg16, feature_distance
    except ModuleNotFoundError as error:
        raise MissingDependencyError("--vgg needs torch: pip install 'emocolor-stream[train]'.") from error
    vgg = Vgg16(path, "relu3_3")
    return lambda predicted, truth: feature_distance(vgg, predicted, truth, "relu3_3")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate colorizer``, named as the fields of ``ColorizerEvalConfig``."""
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--size", type=int, default=256, help="side of the middle square that is measured, px")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    parser.add_argument("--baseline", help="instead of a net: gray, mean, or a colormap such as turbo")
    parser.add_argument("--vgg", type=Path, metavar="DIR_OR_NPZ", help="VGG16's values, for vgg_distance")
    parser.add_argument("--vividness", type=float, help="how vivid the net's answer shall be")
