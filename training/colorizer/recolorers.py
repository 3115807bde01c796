"""Functions from gray to colour: trained nets and baselines, so that one evaluation measures them all."""

import os
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from emocolor.arrays import GrayImage, RgbImage
from emocolor.chroma.conversion import rgb_of, with_chroma
from emocolor.effects.colorize import ColorizeOptions, colorizer_input_size, fine_chroma
from emocolor.errors import ConfigurationError, nearest
from emocolor.gradients import OPENCV_MAPS, parse_gradient
from emocolor.protocols import Colorizer
from engines.colorizer import load_colorizer

Recolorer = Callable[[GrayImage], RgbImage]
"""Gray (H, W) uint8, Y' of BT.601 in full range, to sRGB (H, W, 3) uint8 of the same size."""

BASELINES: Final = ("gray", "mean", "intensity", "turbo", "jet", "hot", "viridis")
"""Of the README's table: gray, the photos' mean colour, S1's intensity rules, and the maps of OpenCV that S1 names."""
MEAN_AB: Final = (1.82, 6.70)
"""Mean a* and b* over all pixels of the 5,420 photos that the nets here are trained on."""


def baseline_recolorer(name: str) -> Recolorer:
    """A recolorer without training: ``gray``, ``mean`` (the photos' mean ab everywhere), or a colormap.

    Colormaps are those of the effect ``colormap``: OpenCV's by name, ``intensity``, and gradients such as
    ``#000-#8b4513-#fff``. Raises ``ConfigurationError`` for another name.
    """
    if name == "gray":
        return _gray
    if name == "mean":
        return _mean
    if "#" not in name and name not in (known := ["gray", "mean", "intensity", *OPENCV_MAPS]):
        raise ConfigurationError(f"Unknown baseline '{name}'{nearest(name, known)}")
    table = np.rint(parse_gradient(name).at(np.arange(256) / 255) * 255).astype(np.uint8)
    return lambda gray: np.asarray(table[gray], np.uint8)


def load_recolorer(weights: str | None, vividness: float | None) -> Recolorer:
    """A trained net by its name or ONNX file; the effect's default net without ``weights``.

    Raises ``ConfigurationError`` and ``EngineError`` as ``load_colorizer`` does.
    """
    colorizer = load_colorizer(weights or ColorizeOptions().net, threads=os.cpu_count() or 1)
    chosen = ColorizeOptions().vividness if vividness is None else vividness
    return lambda gray: recolor(gray, colorizer, chosen)


def recolor(gray: GrayImage, colorizer: Colorizer, vividness: float) -> RgbImage:
    """Colorize one image as the effect does: the net gets a small copy, and chroma follows the edges of luma."""
    small = cv2.resize(gray, colorizer_input_size(gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_AREA)
    estimate = colorizer.estimate(np.asarray(small, np.uint8), vividness)
    levels = gray.astype(np.float32) / np.float32(255)
    return rgb_of(gray, fine_chroma(levels, small, estimate.ab, "bt601"))


def _gray(gray: GrayImage) -> RgbImage:
    return np.repeat(gray[..., None], 3, axis=2)


def _mean(gray: GrayImage) -> RgbImage:
    return with_chroma(gray, np.full((1, 1, 2), MEAN_AB, np.float32))
