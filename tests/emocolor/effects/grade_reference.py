"""What the grade should do, computed slowly: colour by colour, in float64, without tables."""

import math

import numpy as np

from emocolor.color import LUMA_WEIGHTS, code_range, codes_to_rgb, srgb_to_linear, srgb_to_oklab
from emocolor.effects.grade import WARM_RADIANS
from emocolor.frames import ColorSpec

DEFAULT = ColorSpec(matrix="bt709")


def codes_of(rgb, color=DEFAULT, bits=8):
    """Y, Cb and Cr codes, unrounded, of R'G'B' (..., 3) in [0, 1]."""
    red, blue = LUMA_WEIGHTS[color.matrix]
    black, span, middle, chroma_span = code_range(color, bits)
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    cb, cr = (rgb[..., 2] - luma) / (2 * (1 - blue)), (rgb[..., 0] - luma) / (2 * (1 - red))
    codes = black + span * luma, middle + chroma_span * cb, middle + chroma_span * cr
    return tuple(np.minimum(plane, (1 << bits) - 1) for plane in codes)


LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def encoded(light):
    """Light by sRGB's curve, mirrored below 0."""
    size = np.abs(light)
    return np.copysign(np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055), light)


def rgb_of_oklab(lab):
    """R'G'B' (..., 3), unclipped, of OKLab."""
    return encoded((lab @ np.linalg.inv(LAB).T) ** 3 @ np.linalg.inv(LMS).T)


def times_into_gamut(luma, offsets):
    """How many times the offsets of R', G' and B' from luma fit into [0, 1]."""
    high, low = np.maximum(offsets.max(-1), 1e-9), np.maximum(-offsets.min(-1), 1e-9)
    return np.maximum(np.minimum((1 - luma) / high, luma / low), 1e-9)


def reference(frame, change):
    """Y, Cb and Cr codes, unrounded, of a 4:4:4 frame whose colours are in the gamut."""
    bits, color = frame.format.bits, frame.color
    black, span, _, _ = code_range(color, bits)
    luma = ((frame.luma - black) / span).clip(0, 1)
    rgb = codes_to_rgb(black + span * luma, *(p.astype(float) for p in frame.chroma), color, bits)
    lightness = np.cbrt(srgb_to_linear(luma))
    odds = math.exp(change.lightness)
    wanted = encoded((odds * lightness / (1 - lightness + odds * lightness)) ** 3)

    lab = srgb_to_oklab(rgb.clip(0, 1))
    chroma, hue = np.hypot(lab[..., 1], lab[..., 2]), np.arctan2(lab[..., 2], lab[..., 1])
    hue = hue + change.turn * np.sin(WARM_RADIANS - hue)
    turned = np.stack([lab[..., 0], chroma * np.cos(hue), chroma * np.sin(hue)], axis=-1)
    light = (turned @ np.linalg.inv(LAB).T) ** 3 @ np.linalg.inv(LMS).T
    red, blue = LUMA_WEIGHTS[color.matrix]
    weights = np.array([red, 1 - red - blue, blue])
    low, high = np.full(luma.shape, -6.0), np.full(luma.shape, 6.0)  # logarithm of exposure
    for _ in range(32):
        middle = (low + high) / 2
        dark = encoded(light * np.exp(middle)[..., None]) @ weights < wanted
        low, high = np.where(dark, middle, low), np.where(dark, high, middle)
    offsets = encoded(light * np.exp(middle)[..., None]) - wanted[..., None]

    gain = np.exp(change.chroma - middle / 3)
    room = np.maximum(times_into_gamut(luma, rgb - luma[..., None]), 1)
    growth = gain * room / times_into_gamut(wanted, offsets)
    offsets = offsets * (gain / (1 + np.maximum(growth - 1, 0) / room))[..., None]
    return codes_of(wanted[..., None] + offsets, color, bits)
