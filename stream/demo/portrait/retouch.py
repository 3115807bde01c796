"""What warping cannot do to a smile: remove its folds, and change what shows between the lips.

Faces here are the part ``FACE_XYWH`` of the portrait, enlarged ``detail`` times, RGB uint8.
"""

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import Points, RgbImage

from .features import FACE_XYWH, LOWER_LIP_BOTTOM, LOWER_LIP_EDGE, MOUTH_X, SMILE_FOLDS, UPPER_LIP_EDGE, UPPER_LIP_TOP

Rgb = tuple[int, int, int]
AreaMask = NDArray[np.float32]
"""(H, W, 1) in [0, 1]."""

UPPER_LIP_RGB: Final = (170, 96, 88)
LOWER_LIP_RGB: Final = (186, 104, 97)


def without_smile(face: RgbImage, *, detail: int) -> RgbImage:
    """The face without the folds of the smile and the highlights on the lips."""
    folds = _lines_mask(face, SMILE_FOLDS, detail, width=5.0, softness=1.6)
    face = _blended(face, cv2.GaussianBlur(face, (0, 0), 5 * detail), 0.85 * folds)
    upper = _area_mask(face, _band(UPPER_LIP_TOP, UPPER_LIP_EDGE), detail, softness=0.6)
    face = _blended(face, np.array(UPPER_LIP_RGB), 0.75 * upper)
    lower = _area_mask(face, _band(LOWER_LIP_EDGE, LOWER_LIP_BOTTOM), detail, softness=0.6)
    return _blended(face, np.array(LOWER_LIP_RGB), 0.75 * lower)


def with_mouth_filled(face: RgbImage, above: Rgb, below: Rgb, *, detail: int) -> RgbImage:
    """The face with a gradient of two colours between the lips, where the portrait shows teeth."""
    inside = _area_mask(face, _band(UPPER_LIP_EDGE, LOWER_LIP_EDGE), detail, softness=0.3)
    top, bottom = min(UPPER_LIP_EDGE), max(LOWER_LIP_EDGE)
    height = FACE_XYWH[1] + np.arange(len(face)) / detail
    part = np.clip((height - top) / (bottom - top), 0, 1)[:, None, None]
    return _blended(face, (1 - part) * np.array(above) + part * np.array(below), inside)


def _band(upper: Sequence[float], lower: Sequence[float]) -> Points:
    """The outline between two edges that run along the mouth."""
    return np.vstack([np.stack([MOUTH_X, upper], axis=1), np.stack([MOUTH_X, lower], axis=1)[::-1]])


def _area_mask(face: RgbImage, outline: Points, detail: int, *, softness: float) -> AreaMask:
    mask = np.zeros(face.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_in_face(outline, detail)], 255)
    return _softened(mask, softness * detail)


def _lines_mask(
    face: RgbImage, lines: Sequence[Sequence[tuple[float, float]]], detail: int, *, width: float, softness: float
) -> AreaMask:
    mask = np.zeros(face.shape[:2], np.uint8)
    points = [_in_face(np.array(line), detail) for line in lines]
    cv2.polylines(mask, points, False, 255, round(width * detail))
    return _softened(mask, softness * detail)


def _softened(mask: NDArray[np.uint8], sigma: float) -> AreaMask:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), sigma)[..., None] / 255, np.float32)


def _in_face(points: Points, detail: int) -> NDArray[np.int32]:
    """Pixels of the portrait to pixels of the enlarged face."""
    return np.asarray(((points - FACE_XYWH[:2] + 0.5) * detail - 0.5).round(), np.int32)


def _blended(face: RgbImage, color: NDArray[Any], part: AreaMask) -> RgbImage:
    return np.asarray(face * (1 - part) + color * part + 0.5, np.uint8)
