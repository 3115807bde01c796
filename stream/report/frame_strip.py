"""A strip of frames before and after, in two rows with captions.

All images here are RGB, (H, W, 3) uint8.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from emocolor.arrays import RgbImage

from .drawing import INK, draw_text, text_width

GAP: Final = 4
"""Pixels between the frames of a strip."""
MIN_FRAME_WIDTH: Final = 16


def make_strip(
    before: Sequence[RgbImage], after: Sequence[RgbImage], captions: Sequence[str], *, width: int
) -> RgbImage:
    """Frames in two rows, ``before`` above ``after``, with a caption under each column.

    Every frame takes the aspect ratio of the first one. Raises ``ValueError`` where the sequences are empty or differ
    in length, or where ``width`` leaves less than 16 pixels for a frame.
    """
    count = len(before)
    if not (count and count == len(after) == len(captions)):
        raise ValueError(f"a strip needs as many frames as captions, got {count}, {len(after)} and {len(captions)}")
    cell_width = (width - GAP * (count - 1)) / count
    if cell_width < MIN_FRAME_WIDTH:
        raise ValueError(f"{count} frames do not fit into a width of {width} pixels")
    cell_height = round(cell_width * before[0].shape[0] / before[0].shape[1])
    text_height = _caption_height(captions, cell_width)
    strip = np.full((2 * cell_height + GAP + 3 * text_height, width, 3), 255, np.uint8)
    for column, caption in enumerate(captions):
        left, right = round(column * (cell_width + GAP)), round(column * (cell_width + GAP) + cell_width)
        for row, frame in enumerate((before[column], after[column])):
            top = row * (cell_height + GAP)
            strip[top : top + cell_height, left:right] = _fitted(frame, (right - left, cell_height))
        baseline = strip.shape[0] - text_height
        draw_text(strip, caption, ((left + right) / 2, baseline), text_height, INK, align="center")
    return strip


def _fitted(frame: RgbImage, size_wh: tuple[int, int]) -> RgbImage:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"a strip needs (H, W, 3) uint8 frames, got {frame.shape} {frame.dtype}")
    interpolation = cv2.INTER_AREA if frame.shape[1] >= size_wh[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame, size_wh, interpolation=interpolation), np.uint8)


def _caption_height(captions: Sequence[str], cell_width: float) -> int:
    """Height of capitals with which the longest caption fits its column."""
    height = max(min(cell_width / 16, 14.0), 8.0)
    longest = max(text_width(caption, height) for caption in captions)
    return max(round(height * min(1.0, 0.96 * cell_width / max(longest, 1))), 5)
