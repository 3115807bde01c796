"""Accuracy and colourfulness of a colorizer with bins, as one curve: what an epoch is chosen by.

    python -m training.colorizer.frontier --weights film --images val.tar \
        --config configs/training/colorizer_context.toml

measures a net that ships as the epochs of a run with this recipe are measured.

The ab error alone prefers gray, and colourfulness alone prefers noise. So a net is measured at several strengths of
rebalancing (:class:`engines.nets.annealed.Annealed`), each a point of ab error over colourfulness, and the error is
read off where the curve through them has the colourfulness that is asked for.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from emocolor.arrays import GrayImage, RgbImage
from emocolor.chroma.conversion import ab_of, luma_of, rgb_of
from emocolor.effects.colorize import fine_chroma
from emocolor.errors import EmocolorError
from engines.nets.annealed import Annealed, annealed_mean
from engines.spec import read_colorizer_spec

from ..data.film_look import FilmLook, apply_film_look, to_gray
from ..data.photos import Photos, center_crop, read_photos
from ..toml_recipe import read_recipe
from .metrics import colorfulness
from .recipe import ColorizerRecipe

LEVELS: Final = (25.0, 30.0, 35.0)
"""Colourfulness at which errors are compared."""
TEMPERATURE: Final = 0.5
"""Of the annealed mean; the curves of .4 to .7 hardly differ."""
REBALANCINGS: Final = (0.0, 0.5, 1.0, 1.5, 2.0, 2.75, 3.5)
PHOTOS: Final = 100
"""Number of held-out photos, spread over all, after every epoch."""
SIZE: Final = 256
FILM_SEED: Final = 20
"""Of the film look on held-out photos."""


def measure_frontiers(net: Annealed, held_out: Photos, film: FilmLook) -> dict[str, float]:
    """The columns of an epoch: those of :func:`measure_frontier`, and ``film_frontier`` with the film look."""
    photos = held_out.spread(PHOTOS)
    filmed = measure_frontier(net, photos, SIZE, film)
    return measure_frontier(net, photos, SIZE) | {"film_frontier": filmed["frontier"]}


def measure_frontier(net: Annealed, photos: Photos, size: int, film: FilmLook | None = None) -> dict[str, float]:
    """ab error at each of ``LEVELS``, as ``ab_at_25`` and so on, and their mean as ``frontier``.

    Over the central squares of ``size`` px of all photos; with ``film`` the net sees them degraded, always alike, while
    chroma is scaled up along the degraded luma and compared with the truth.
    """
    errors, fullness = np.zeros(len(REBALANCINGS)), np.zeros(len(REBALANCINGS))
    for index in range(len(photos)):
        truth = center_crop(photos.photo(index), size)
        gray = luma_of(truth) if film is None else _degraded(truth, film, index)
        true_ab = ab_of(truth)
        for place, predicted in enumerate(_colorized(net, gray)):
            errors[place] += np.linalg.norm(ab_of(predicted) - true_ab, axis=-1).mean()
            fullness[place] += colorfulness(predicted)
    found = error_at(LEVELS, fullness / len(photos), errors / len(photos))
    return {f"ab_at_{level:g}": error for level, error in zip(LEVELS, found, strict=True)} | {
        "frontier": float(np.mean(found))
    }


def error_at(levels: Sequence[float], fullness: NDArray[np.float64], errors: NDArray[np.float64]) -> list[float]:
    """The error at each level of colourfulness, by linear interpolation; beyond the ends the last line goes on."""
    order = np.argsort(fullness)
    x, y = fullness[order], errors[order]
    found = []
    for level in levels:
        right = int(np.clip(np.searchsorted(x, level), 1, len(x) - 1))
        slope = (y[right] - y[right - 1]) / max(x[right] - x[right - 1], 1e-6)
        found.append(float(y[right - 1] + slope * (level - x[right - 1])))
    return found


@torch.inference_mode()
def _colorized(net: Annealed, gray: GrayImage) -> list[RgbImage]:
    """The image with its colours at each of ``REBALANCINGS``."""
    device = next(net.parameters()).device
    logits = net.net(torch.from_numpy(gray)[None, None].to(device).float() / 255)
    levels = gray.astype(np.float32) / np.float32(255)
    colorized = []
    for rebalancing in REBALANCINGS:
        ab, _ = annealed_mean(net.rebalanced(logits, rebalancing), net.bins, temperature=TEMPERATURE)
        chroma = fine_chroma(levels, gray, ab[0].movedim(0, 2).cpu().numpy(), "bt601")
        colorized.append(rgb_of(gray, chroma))
    return colorized


def _degraded(truth: RgbImage, film: FilmLook, index: int) -> GrayImage:
    generator = torch.Generator().manual_seed(FILM_SEED + index)
    rgb = torch.from_numpy(truth).movedim(2, 0)[None].float() / 255
    gray = apply_film_look(to_gray(rgb, film, generator), film, generator)
    return np.asarray((gray[0, 0].numpy() * 255).round(), np.uint8)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="a shipped net's name or an ONNX file")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="photos, folders or tar files")
    parser.add_argument("--config", type=Path, help="recipe whose film look is applied")
    arguments = parser.parse_args(argv)
    from engines.nets.graphs import graph_of  # needs onnx, which training does not

    try:
        net = graph_of(read_colorizer_spec(arguments.weights)).module
        assert isinstance(net, Annealed)
        film = read_recipe(ColorizerRecipe, arguments.config).film.degradations
        print(json.dumps(measure_frontiers(net, read_photos(arguments.images), film)))
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
