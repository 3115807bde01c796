"""Conversions between the colour spaces of frames and palettes.

Matrices are those of ITU-R BT.601, BT.709 and BT.2020 (non-constant luminance), SMPTE 240M and FCC; transfers those of
IEC 61966-2-1 (sRGB), SMPTE ST 2084 (PQ) and BT.2100 (HLG). OKLab is Ottosson's (2020).
"""

from typing import Final

import numpy as np

from .arrays import Colors
from .frames import ColorSpec, Matrix

LUMA_WEIGHTS: Final[dict[Matrix, tuple[float, float]]] = {
    "bt709": (0.2126, 0.0722),
    "bt601": (0.299, 0.114),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
}
"""Weights of red and blue in luma; green has the remainder."""

DIFFUSE_WHITE_NITS: Final = 203.0
"""Luminance of graphics white in HDR (BT.2408)."""

_BT709_TO_BT2020: Final = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
_LINEAR_TO_LMS: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_OKLAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


OKLAB_TO_LMS: Final = np.linalg.inv(_LMS_TO_OKLAB)
"""OKLab to the cube roots of its cone responses (LMS)."""
LMS_TO_LINEAR: Final = np.linalg.inv(_LINEAR_TO_LMS)
"""OKLab's cone responses (LMS) to linear sRGB."""


def code_range(color: ColorSpec, bits: int) -> tuple[float, float, float, float]:
    """``black, span, middle, chroma_span``: what maps levels to code values of ``bits``.

    A luma code is ``black + span * Y'`` with Y' in [0, 1]; a chroma code is ``middle + chroma_span * C`` with C in
    [-0.5, 0.5].
    """
    unit = 1 << (bits - 8)
    middle = 128.0 * unit
    if color.full_range:
        top = float((1 << bits) - 1)
        return 0.0, top, middle, top
    return 16.0 * unit, 219.0 * unit, middle, 224.0 * unit


def rgb_to_codes(rgb: Colors, color: ColorSpec, bits: int) -> tuple[float, float, float]:
    """Y, Cb and Cr code values, unrounded, of one sRGB colour (3,) in [0, 1], as ``color`` encodes it.

    In SDR the sRGB values are taken as the frame's own R'G'B', as in S0. Under PQ and HLG they are converted to light
    in the frame's primaries, with white at 203 nits. In full range, the purest blue and red would lie half a code
    beyond the last code; they get the last code.
    """
    encoded = rgb if color.transfer == "sdr" else _to_hdr(rgb, color)
    red_weight, blue_weight = LUMA_WEIGHTS[color.matrix]
    red, green, blue = (float(v) for v in encoded)
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    black, span, middle, chroma_span = code_range(color, bits)
    last = float((1 << bits) - 1)
    return (
        black + span * luma,
        min(last, middle + chroma_span * (blue - luma) / (2 * (1 - blue_weight))),
        min(last, middle + chroma_span * (red - luma) / (2 * (1 - red_weight))),
    )


def codes_to_rgb(y: Colors, cb: Colors, cr: Colors, color: ColorSpec, bits: int) -> Colors:
    """R'G'B' (..., 3) float64, 0 black and 1 white, unclipped, from code values in three arrays of one shape."""
    red_weight, blue_weight = LUMA_WEIGHTS[color.matrix]
    black, span, middle, chroma_span = code_range(color, bits)
    luma = (y - black) / span
    blue = luma + 2 * (1 - blue_weight) * (cb - middle) / chroma_span
    red = luma + 2 * (1 - red_weight) * (cr - middle) / chroma_span
    green = (luma - red_weight * red - blue_weight * blue) / (1 - red_weight - blue_weight)
    return np.stack([red, green, blue], axis=-1)


def srgb_to_linear(rgb: Colors) -> Colors:
    """Convert sRGB values in [0, 1] to linear light in [0, 1]; any shape."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Colors) -> Colors:
    """Convert linear light to sRGB values, clipped to [0, 1]; any shape."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def srgb_to_oklab(rgb: Colors) -> Colors:
    """Convert sRGB (..., 3) in [0, 1] to OKLab: L in [0, 1], a and b about [-0.4, 0.4]."""
    lms = np.cbrt(srgb_to_linear(rgb) @ _LINEAR_TO_LMS.T)
    return np.asarray(lms @ _LMS_TO_OKLAB.T)


def oklab_to_srgb(lab: Colors) -> Colors:
    """Convert OKLab (..., 3) to sRGB in [0, 1]; colours outside the gamut are clipped."""
    return linear_to_srgb((lab @ OKLAB_TO_LMS.T) ** 3 @ LMS_TO_LINEAR.T)


def _to_hdr(rgb: Colors, color: ColorSpec) -> Colors:
    light = srgb_to_linear(rgb)
    if color.primaries == "bt2020":
        light = light @ _BT709_TO_BT2020.T
    return _pq(light * DIFFUSE_WHITE_NITS) if color.transfer == "pq" else _hlg(light)


def _pq(nits: Colors) -> Colors:
    """SMPTE ST 2084 signal in [0, 1] from light in nits."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = (np.maximum(nits, 0) / 10_000) ** m1
    return np.asarray(((c1 + c2 * power) / (1 + c3 * power)) ** m2)


def _hlg(light: Colors) -> Colors:
    """BT.2100 HLG signal in [0, 1] from linear light whose 1 is diffuse white, at a signal of 0.75 (BT.2408)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.maximum(light, 0) * (np.exp((0.75 - c) / a) + b) / 12
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c))
