"""Whatever turns gray into colour, as one kind of function, so that one evaluation measures them all."""

import os
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.chroma.conversion import rgb_of, with_chroma
from emocolor.effects.colorize import ColorizeOptions, fine_chroma, small_size
from emocolor.errors import ConfigurationError
from emocolor.gradients import OPENCV_MAPS, parse_gradient
from emocolor.palettes import nearest
from emocolor.protocols import Colorizer
from engines.colorizer import load_colorizer

Recolorer = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""Gray (H, W) uint8, Y' of BT.601 in full range, to sRGB (H, W, 3) uint8 of the same size."""

MEAN_AB: Final = (1.82, 6.70)
"""Mean a* and b* over all pixels of the 5,420 photos that the nets here are trained on."""


def baseline(name: str) -> Recolorer:
    """A recolorer that has learnt nothing: ``gray``, ``mean`` (the photos' mean ab everywhere), or a colormap.

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


def shipped(weights: str | None, vividness: float | None) -> Recolorer:
    """A trained net by its name or ONNX file; without ``weights`` the one that the effect takes.

    Raises ``ConfigurationError`` and ``EngineError`` as ``load_colorizer`` does.
    """
    colorizer = load_colorizer(weights or ColorizeOptions().net, threads=os.cpu_count() or 1)
    boldness = ColorizeOptions().vividness if vividness is None else vividness
    return lambda gray: recolored(gray, colorizer, boldness)


def recolored(gray: NDArray[np.uint8], colorizer: Colorizer, vividness: float) -> NDArray[np.uint8]:
    """A picture as the effect colours a single one: at the size it shows the net, and along luma's edges."""
    small = cv2.resize(gray, small_size(gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_AREA)
    estimate = colorizer.estimate(np.asarray(small, np.uint8), vividness)
    levels = gray.astype(np.float32) / np.float32(255)
    return rgb_of(gray, fine_chroma(levels, small, estimate.ab, "bt601"))


def _gray(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(gray[..., None], 3, axis=2)


def _mean(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return with_chroma(gray, np.full((1, 1, 2), MEAN_AB, np.float32))
