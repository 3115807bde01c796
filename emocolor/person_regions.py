"""Where people are: the small frame that a segmenter sees, its mask stabilized over time, and the mask on a plane.

Masks are float32 in [0, 1], 1 on a person, and cover the whole frame as it is stored. Those made here are squares,
whatever the frame's sides are, because the segmenter's input is one.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .arrays import GrayImage, Mask, RgbImage
from .color import codes_to_rgb
from .frames import ColorSpec, Frame, Plane, gray_levels
from .protocols import PersonSegmenter

SIDE: Final = 256
"""Sides of the frame that a segmenter sees, and of its mask."""
FADE_SECONDS: Final = 0.3
"""Time in which the past loses its weight to 1/e where the frame stands still."""
FADE_LEVELS: Final = 3.0
"""Change of luma, in levels of 8 bits, that takes as much of its weight as that time does."""
_GRID: Final = 32
"""Sides of the frame in which change is measured: averaging down to it takes grain and coding noise away."""


def plane_mask(person: Mask, shape: tuple[int, ...]) -> Mask:
    """``person``, (h, w) over the whole frame, on a plane of ``shape`` (H, W): bilinear, (H, W) float32 in [0, 1].

    The mask's outer edges are the plane's, so luma and chroma of any subsampling get the same region.
    """
    return np.asarray(cv2.resize(person, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


class PersonMasks:
    """The masks of one video, frame by frame. Not for two threads at once.

    A segmenter classifies each frame alone, so its edges waver where nothing moves. Each mask is therefore mixed with
    those before it. Their weight fades exponentially in media time and, as much, with the change of luma on the way:
    where the frame changes the past says little of what is there now, so that a mask does not trail behind what
    moves. Nothing crosses a cut.
    """

    def __init__(self, segmenter: PersonSegmenter) -> None:
        self._segmenter = segmenter
        self._mask: Mask | None = None
        self._grid = np.zeros((_GRID, _GRID), np.float32)
        self._time = 0.0

    def next(self, frame: Frame, *, cut: bool) -> Mask:
        """Where people are in ``frame``, (SIDE, SIDE); frames must come in order. ``cut``: a new shot starts here."""
        rgb = square_rgb(frame)
        mask = self._look(rgb, frame.rotation // 90)
        grid = _grid_of(rgb)
        if self._mask is not None and not cut:
            mask = mask + past_weight(frame.time - self._time, self._grid, grid) * (self._mask - mask)
        self._mask, self._grid, self._time = mask, grid, frame.time
        return mask

    def _look(self, rgb: RgbImage, turns: int) -> Mask:
        """What the segmenter says of the frame as it is shown, upright, turned back to how it is stored."""
        found = self._segmenter.segment(np.ascontiguousarray(np.rot90(rgb, -turns)))
        return np.ascontiguousarray(np.rot90(found, turns))


def past_weight(seconds: float, before: Mask, after: Mask) -> Mask:
    """Weight of the past, (SIDE, SIDE) in (0, 1], ``seconds`` later and after a change between two frames.

    Frames are luma, (n, n) float32 in levels of 8 bits. Change is their mean absolute difference over 3 x 3 pixels.
    Over several steps time adds up, and so does change that goes one way: the frame rate makes no difference.
    """
    change = cv2.blur(cv2.absdiff(before, after), (3, 3))
    weight = np.exp(-(np.float32(seconds / FADE_SECONDS) + change * np.float32(1 / FADE_LEVELS)))
    return plane_mask(weight, (SIDE, SIDE))


def square_rgb(frame: Frame) -> RgbImage:
    """``frame`` as it is stored, squeezed into a square: R'G'B' (SIDE, SIDE, 3) uint8 by its own matrix and range.

    Planes are scaled before they are converted. Codes of more than 8 bits are rounded to 8; PQ and HLG are left in
    their curves, which makes a frame paler, not different.
    """
    small = [_squeezed(plane) for plane in (frame.luma, *(frame.chroma or ()))]
    bits = frame.format.bits
    if frame.chroma is None:
        return np.asarray(cv2.cvtColor(gray_levels(small[0], frame.color, bits), cv2.COLOR_GRAY2RGB), np.uint8)
    codes = small if bits == 8 else [cv2.convertScaleAbs(plane, alpha=2.0 ** (8 - bits)) for plane in small]
    return np.asarray(cv2.transform(cv2.merge(codes), _codes_to_rgb(frame.color)), np.uint8)


def _squeezed(plane: Plane) -> Plane:
    """``plane`` (H, W) as (SIDE, SIDE).

    Whole pixels are averaged first, which is far cheaper than averaging parts of pixels; the few that are left over
    at the right and at the bottom, less than one pixel of the square, are left out.
    """
    # The copy is for interleaved channels: OpenCV cannot address one alone.
    height, width = plane.shape
    down, across = max(1, height // SIDE), max(1, width // SIDE)
    small: Plane = plane[: height // down * down, : width // across * across].copy()
    if down > 1 or across > 1:
        small = cv2.resize(small, (width // across, height // down), interpolation=cv2.INTER_AREA)
    squeezed: Plane = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return squeezed


@lru_cache(maxsize=4)
def _codes_to_rgb(color: ColorSpec) -> NDArray[np.float64]:
    """(3, 4): R', G' and B' in 0 to 255 from codes of 8 bits (Y, Cb, Cr, 1)."""
    y, cb, cr = np.eye(3, 4)
    rgb = 255 * codes_to_rgb(y, cb, cr, color, 8)
    return np.asarray(np.concatenate([rgb[:3] - rgb[3], rgb[3:]]).T)


def _grid_of(rgb: RgbImage) -> Mask:
    """Luma averaged over a coarse grid, (n, n) float32 in levels of 8 bits."""
    gray: GrayImage = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA), np.float32)
