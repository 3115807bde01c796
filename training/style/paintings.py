"""The paintings whose styles nets are trained on."""

from pathlib import Path

import cv2
import numpy as np

from emocolor.arrays import RgbImage
from emocolor.errors import SourceError

MIN_SIDE = 64
"""px; smaller images have no texture to learn."""
WHITE = 255


def read_painting(path: Path, size: int) -> RgbImage:
    """sRGB (H, W, 3) uint8, rotated as its EXIF data says, its short side scaled to ``size`` px.

    Gray becomes RGB, and transparency is blended with white. Raises ``SourceError`` where the file is not an image or
    too small.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"The painting {path} cannot be read: {error.strerror or error}.") from error
    rgb = _decoded(content)
    if rgb is None:
        raise SourceError(f"The painting {path} is not an image that OpenCV reads.")
    height, width = rgb.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise SourceError(f"The painting {path} is {width}x{height}; both sides need {MIN_SIDE} px.")
    scale = size / min(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (round(width * scale), round(height * scale)), interpolation=method), np.uint8)


def _decoded(content: np.ndarray) -> RgbImage | None:
    """RGB over white, or None for what is not an image."""
    if not len(content):
        return None
    try:
        plain = cv2.imdecode(content, cv2.IMREAD_COLOR)
        whole = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if plain is None:
        return None
    rgb = np.asarray(cv2.cvtColor(plain, cv2.COLOR_BGR2RGB), np.uint8)
    if whole is None or whole.ndim != 3 or whole.shape[2] != 4:
        return rgb
    # OpenCV ignores EXIF rotation in images with alpha, so both readings have the same orientation.
    alpha = whole[..., 3:].astype(np.float32) / np.iinfo(whole.dtype).max
    return np.asarray(np.rint(rgb * alpha + WHITE * (1 - alpha)), np.uint8)
