"""Paintings that nets learn a style from."""

from pathlib import Path

import cv2
import numpy as np

from emocolor.errors import SourceError

from ..data.photos import Rgb8

SMALLEST_SIDE = 64
"""px; smaller pictures have no texture to learn."""
WHITE = 255


def read_style_picture(path: Path, size: int) -> Rgb8:
    """sRGB (H, W, 3) uint8, turned as its EXIF data says, its short side scaled to ``size`` px.

    Gray pictures become RGB, and transparent ones are laid on white. Raises ``SourceError`` where the file is no
    picture or too small.
    """
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"The style picture {path} cannot be read: {error.strerror or error}.") from error
    rgb = _decoded(content)
    if rgb is None:
        raise SourceError(f"The style picture {path} is no picture that OpenCV reads.")
    height, width = rgb.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        raise SourceError(f"The style picture {path} is {width}x{height}; both sides need {SMALLEST_SIDE} px.")
    scale = size / min(height, width)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, (round(width * scale), round(height * scale)), interpolation=method), np.uint8)


def _decoded(content: np.ndarray) -> Rgb8 | None:
    """RGB over white, or None for what is no picture."""
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
    # Such pictures are not turned by EXIF data in either reading, so that the two fit.
    part = whole[..., 3:].astype(np.float32) / np.iinfo(whole.dtype).max
    return np.asarray(np.rint(rgb * part + WHITE * (1 - part)), np.uint8)
