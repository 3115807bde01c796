"""What ``python -m training.evaluate colorizer`` measures: a colorizer on photos turned gray."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Final

from emocolor.arrays import RgbImage
from emocolor.chroma.conversion import luma_of
from emocolor.errors import ConfigurationError, MissingDependencyError

from ..data.photos import Photos, center_crop, read_photos
from .metrics import ColorizationMetrics
from .recolorers import Recolorer, baseline_recolorer, load_recolorer

FeatureDistance = Callable[[RgbImage, RgbImage], float]
MIN_SIZE: Final = 32
"""px; little of a photo is left below it."""


@dataclass(frozen=True, kw_only=True)
class ColorizerEvalConfig:
    """A colorizer, and the photos to measure it on."""

    images: tuple[Path, ...]
    """Folders (with subfolders), tar files and photos."""
    size: int = 256
    """Side of the central square that is measured, px."""
    weights: str | None = None
    """A shipped net's name or an ONNX file; None for the net that ships, unless ``baseline`` is set."""
    baseline: str | None = None
    """``gray``, ``mean`` or a colormap, instead of a net."""
    vgg: Path | None = None
    """An npz file of VGG16's values, or its folder."""
    vividness: float | None = None
    """Vividness of the net's colours; None for the effect's default."""

    def __post_init__(self) -> None:
        if self.size < MIN_SIZE:
            raise ConfigurationError(f"size must be at least {MIN_SIZE}, got {self.size}.")
        if self.baseline is not None and (self.weights is not None or self.vividness is not None):
            raise ConfigurationError("A baseline takes neither weights nor vividness. Set either it or them.")
        if self.vividness is not None and not 0 <= self.vividness <= 1:
            raise ConfigurationError(f"vividness must lie between 0 and 1, got {self.vividness:g}.")


def evaluate_colorizer(config: ColorizerEvalConfig) -> dict[str, object]:
    """Metrics of one colorizer over all photos, which are decoded one at a time.

    ``vgg_distance`` is the mean of ``training.vgg.feature_distance`` at relu3_3, or None; ``ms_per_image`` the median
    time of the colorizer alone. The others are those of ``training.colorizer.metrics``.
    """
    recolor = _recolorer(config)
    distance = None if config.vgg is None else _vgg_distance(config.vgg)
    photos = read_photos(config.images)
    metrics, seconds, distances = ColorizationMetrics(), list[float](), list[float]()
    for index in range(len(photos)):
        truth = center_crop(photos.photo(index), config.size)
        gray = luma_of(truth)
        started = time.perf_counter()
        predicted = recolor(gray)
        seconds.append(time.perf_counter() - started)
        metrics.update(predicted, truth)
        if distance:
            distances.append(distance(predicted, truth))
    return {
        "weights": config.weights,
        "baseline": config.baseline,
        "vividness": config.vividness,
        "size": config.size,
        **metrics.compute(),
        "vgg_distance": round(fmean(distances), 4) if distances else None,
        "ms_per_image": round(1e3 * median(seconds), 2),
        "n": len(metrics),
    }


def measure_recolorer(recolor: Recolorer, photos: Photos, size: int) -> dict[str, float]:
    """The metrics of ``training.colorizer.metrics`` over the central squares of all photos."""
    metrics = ColorizationMetrics()
    for index in range(len(photos)):
        truth = center_crop(photos.photo(index), size)
        metrics.update(recolor(luma_of(truth)), truth)
    return metrics.compute()


def _recolorer(config: ColorizerEvalConfig) -> Recolorer:
    if config.baseline is not None:
        return baseline_recolorer(config.baseline)
    return load_recolorer(config.weights, config.vividness)


def _vgg_distance(path: Path) -> FeatureDistance:
    try:
        from ..vgg import Vgg16, feature_distance
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "The feature distance of VGG16 needs torch: pip install 'emocolor-stream[train]'."
        ) from error
    vgg = Vgg16(path, "relu3_3")
    return lambda predicted, truth: feature_distance(vgg, predicted, truth, "relu3_3")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate colorizer``, named as the fields of ``ColorizerEvalConfig``."""
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--size", type=int, default=256, help="side of the central square that is measured, px")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    parser.add_argument("--baseline", help="instead of a net: gray, mean, or a colormap such as turbo")
    parser.add_argument("--vgg", type=Path, metavar="DIR_OR_NPZ", help="VGG16's values, for vgg_distance")
    parser.add_argument("--vividness", type=float, help="vividness of the net's colours, 0 to 1")
