"""Person masks: the segmenter's input, masks stabilized over time, and masks scaled to planes.

Masks are float32 in [0, 1], 1 on a person, and cover the whole frame as it is stored. Those made here are square,
whatever the frame's aspect ratio, because the segmenter's input is square.
"""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from .arrays import GrayImage, Map, Mask, RgbImage
from .color import codes_to_rgb
from .frames import ColorSpec, Frame, Plane, gray_levels
from .protocols import PersonSegmenter

MASK_SIDE: Final = 256
"""Side of the segmenter's input and of the masks, in pixels."""
FADE_SECONDS: Final = 0.3
"""Time in which the weight of the past decays to 1/e where the frame does not change."""
FADE_LEVELS: Final = 3.0
"""Change of luma, in 8-bit levels, that makes it decay as much as that time does."""
_GRID: Final = 32
"""Side of the grid on which change is measured; averaging over its cells removes grain and coding noise."""


def plane_mask(person: Mask, shape: tuple[int, ...]) -> Mask:
    """Scale ``person``, (h, w) over the whole frame, to a plane of ``shape`` (H, W), bilinearly.

    The outer edges of mask and plane coincide, so luma and chroma of any subsampling get the same region.
    """
    return np.asarray(cv2.resize(person, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


class PersonMasks:
    """The masks of one video, stabilized frame by frame. Not thread-safe.

    A segmenter sees each frame alone, so its edges waver even where nothing moves. Each mask is therefore mixed with
    the previous ones. Their weight decays exponentially with media time and with the change of luma since: where the
    frame has changed, old masks mean little, and a mask must not lag behind what moves. A cut resets everything.
    """

    def __init__(self, segmenter: PersonSegmenter) -> None:
        self._segmenter = segmenter
        self._mask: Mask | None = None
        self._grid = np.zeros((_GRID, _GRID), np.float32)
        self._time = 0.0

    def next(self, frame: Frame, *, cut: bool) -> Mask:
        """The mask of ``frame``, (256, 256). Frames must come in order. ``cut``: a new shot starts with this frame."""
        rgb = square_rgb(frame)
        mask = self._segment(rgb, frame.rotation // 90)
        grid = _grid_of(rgb)
        if self._mask is not None and not cut:
            mask = mask + past_weight(frame.time - self._time, self._grid, grid) * (self._mask - mask)
        self._mask, self._grid, self._time = mask, grid, frame.time
        return mask

    def _segment(self, rgb: RgbImage, turns: int) -> Mask:
        """Segment the frame upright, as a player shows it, and turn the mask back to the stored orientation."""
        mask = self._segmenter.segment(np.ascontiguousarray(np.rot90(rgb, -turns)))
        return np.ascontiguousarray(np.rot90(mask, turns))


def past_weight(seconds: float, before: Map, after: Map) -> Mask:
    """Weight of the past, (256, 256) in (0, 1], ``seconds`` later and after the change between two frames.

    Frames are luma grids, (n, n) float32 in 8-bit levels; change is their mean absolute difference over 3 x 3 cells.
    Weights of successive steps multiply, so time adds up, and so does change in one direction: the result does not
    depend on the frame rate.
    """
    change = cv2.blur(cv2.absdiff(before, after), (3, 3))
    weight = np.exp(-(np.float32(seconds / FADE_SECONDS) + change * np.float32(1 / FADE_LEVELS)))
    return plane_mask(weight, (MASK_SIDE, MASK_SIDE))


def square_rgb(frame: Frame) -> RgbImage:
    """The segmenter's input: ``frame`` as stored, squeezed into a square, R'G'B' (256, 256, 3) uint8.

    Planes are scaled before they are converted by the frame's own matrix and range. Codes of more than 8 bits are
    rounded to 8. PQ and HLG keep their transfer curves, which makes a frame paler, but no different.
    """
    small = [_squeezed(plane) for plane in (frame.luma, *(frame.chroma or ()))]
    bits = frame.format.bits
    if frame.chroma is None:
        return np.asarray(cv2.cvtColor(gray_levels(small[0], frame.color, bits), cv2.COLOR_GRAY2RGB), np.uint8)
    codes = small if bits == 8 else [cv2.convertScaleAbs(plane, alpha=2.0 ** (8 - bits)) for plane in small]
    return np.asarray(cv2.transform(cv2.merge(codes), _codes_to_rgb(frame.color)), np.uint8)


def _squeezed(plane: Plane) -> Plane:
    """Scale ``plane`` (H, W) to (256, 256).

    Whole pixels are averaged first, which is far cheaper than averaging parts of pixels. The few that remain at the
    right and at the bottom, less than one pixel of the square, are left out.
    """
    # The copy is for interleaved chroma: OpenCV cannot address one channel alone.
    height, width = plane.shape
    down, across = max(1, height // MASK_SIDE), max(1, width // MASK_SIDE)
    small: Plane = plane[: height // down * down, : width // across * across].copy()
    if down > 1 or across > 1:
        small = cv2.resize(small, (width // across, height // down), interpolation=cv2.INTER_AREA)
    squeezed: Plane = cv2.resize(small, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_LINEAR)
    return squeezed


@lru_cache(maxsize=4)
def _codes_to_rgb(color: ColorSpec) -> NDArray[np.float64]:
    """Affine map (3, 4) from 8-bit codes (Y, Cb, Cr, 1) to R', G' and B' in 0 to 255."""
    y, cb, cr = np.eye(3, 4)
    rgb = 255 * codes_to_rgb(y, cb, cr, color, 8)
    return np.asarray(np.concatenate([rgb[:3] - rgb[3], rgb[3:]]).T)


def _grid_of(rgb: RgbImage) -> Map:
    """Mean luma on a coarse grid, (n, n) float32 in 8-bit levels."""
    gray: GrayImage = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray.astype(np.float32), (_GRID, _GRID), interpolation=cv2.INTER_AREA), np.float32)
