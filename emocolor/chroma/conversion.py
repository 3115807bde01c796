"""Conversions between images, luma, and chroma as CIELAB's a*, b* (D65) or as Cb, Cr.

Gray is Y' of BT.601 in full range, (H, W) uint8: what a decoder gives and what a colorizer sees. A colorizer's output
is ab, (h, w, 2) float32 in CIELAB units. Images are sRGB, (H, W, 3) uint8. Conversions to and from CIELAB are OpenCV's
in float32, which are within 0.5 of the exact values (0.1 on average).
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import AbMap, ChromaMap, GrayImage, Levels, Map, RgbImage
from ..color import LUMA_WEIGHTS, srgb_to_linear
from ..frames import Matrix


def _rgb_to_y_cb_cr(matrix: Matrix) -> NDArray[np.float64]:
    """Matrix (3, 3) from R'G'B' in [0, 1] to Y' in [0, 1], Cb and Cr in [-0.5, 0.5]."""
    red, blue = LUMA_WEIGHTS[matrix]
    green = 1 - red - blue
    return np.array(
        [
            [red, green, blue],
            [-red / (2 * (1 - blue)), -green / (2 * (1 - blue)), 0.5],
            [0.5, -green / (2 * (1 - red)), -blue / (2 * (1 - red))],
        ]
    )


_RGB_TO_CB_CR: Final = {matrix: _rgb_to_y_cb_cr(matrix)[1:] for matrix in LUMA_WEIGHTS}
_Y_CB_CR_TO_RGB: Final = {matrix: np.linalg.inv(_rgb_to_y_cb_cr(matrix)) for matrix in LUMA_WEIGHTS}


def with_chroma(gray: GrayImage, ab: AbMap) -> RgbImage:
    """Colour a gray image: from (H, W) uint8 and ab (h, w, 2) to sRGB (H, W, 3) uint8.

    The chroma is that of :func:`chroma_of`; luma stays the given gray, within rounding. Raises ``ValueError`` like
    :func:`chroma_of`.
    """
    return rgb_of(gray, chroma_of(gray, ab))


def rgb_of(gray: GrayImage, chroma: ChromaMap) -> RgbImage:
    """sRGB (H, W, 3) uint8, clipped, from gray (H, W) uint8 and Cb, Cr of BT.601 (H, W, 2) in [-0.5, 0.5]."""
    luma = gray[..., None].astype(np.float32) / 255
    rgb = cv2.transform(np.concatenate([luma, chroma], axis=2), _Y_CB_CR_TO_RGB["bt601"])
    return np.asarray(np.rint(np.clip(rgb, 0, 1) * 255), np.uint8)


def chroma_of(gray: GrayImage, ab: AbMap, matrix: Matrix = "bt601") -> ChromaMap:
    """Cb and Cr, (H, W, 2) float32 in [-0.5, 0.5], that give ``gray`` the colour ``ab``.

    ``matrix`` applies to both luma and chroma. The lightness L* of each gray level and its ab make an sRGB colour,
    clipped to the gamut. The result is this colour's Cb and Cr, moved toward gray where they would leave the gamut with
    the given luma: black stays black and white stays white for any ab. ab of another resolution is first scaled to that
    of ``gray``, bilinearly. Raises ``ValueError`` if ``gray`` is not (H, W) uint8 or ``ab`` not (h, w, 2).
    """
    if gray.ndim != 2 or gray.dtype != np.uint8 or ab.ndim != 3 or ab.shape[2] != 2:
        raise ValueError(
            f"gray must be (H, W) uint8 and ab (h, w, 2); got {gray.shape} {gray.dtype} and {ab.shape} {ab.dtype}."
        )
    height, width = gray.shape
    ab = np.ascontiguousarray(ab, np.float32)
    if ab.shape[:2] != gray.shape:
        ab = cv2.resize(ab, (width, height), interpolation=cv2.INTER_LINEAR)
    lab = np.concatenate([_LIGHTNESS[gray][..., None], ab], axis=2)
    chroma = cv2.transform(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), _RGB_TO_CB_CR[matrix])
    room = gamut_room(gray.astype(np.float32) / np.float32(255), chroma, matrix)
    return np.asarray(chroma * np.minimum(room, 1)[..., None], np.float32)


def gamut_room(luma: Levels, chroma: ChromaMap, matrix: Matrix) -> Map:
    """The factor by which ``chroma`` can grow within the gamut, (H, W) float32; below 1 where it lies outside.

    Cb and Cr (H, W, 2) times this factor, with ``luma`` (H, W) in [0, 1], lie on the border of the gamut, R', G' and B'
    in [0, 1]. For gray the factor is huge.
    """
    offsets = cv2.transform(chroma, _Y_CB_CR_TO_RGB[matrix][:, 1:])  # R' - Y', G' - Y' and B' - Y'
    red, green, blue = cv2.split(offsets)
    highest, lowest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    tiny = np.float32(1e-6)
    return np.asarray(np.minimum((1 - luma) / np.maximum(highest, tiny), luma / np.maximum(-lowest, tiny)), np.float32)


def ab_of(rgb: RgbImage) -> AbMap:
    """a* and b* (H, W, 2) float32 of an sRGB image (H, W, 3) uint8."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return np.ascontiguousarray(lab[..., 1:], np.float32)


def luma_of(rgb: RgbImage) -> GrayImage:
    """Y' of BT.601 in full range, (H, W) uint8, of an sRGB image (H, W, 3) uint8."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _lightness_of_levels() -> NDArray[np.float32]:
    """L* in [0, 100] of the 256 gray levels, (256,)."""
    light = srgb_to_linear(np.arange(256) / 255)
    return np.where(light > (6 / 29) ** 3, 116 * np.cbrt(light) - 16, (29 / 3) ** 3 * light).astype(np.float32)


_LIGHTNESS: Final = _lightness_of_levels()
