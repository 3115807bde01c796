"""Optical flow between frames, along which colour is carried.

Flow is OpenCV's dense inverse search (Kroeger et al. 2016), forward and backward. Its confidence is low where the two
do not cancel out or where the images at both ends differ: something was uncovered there, or the search failed.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import GrayImage, Map

SEARCH_SIDE = 128
"""Short side, in pixels, of the images that are searched."""
SMALLEST_SIDE = 32
"""Below this short side the search has no patches to work with, so no motion is assumed."""
RETURN_ERROR_PX = 0.75
"""Forward-backward error, in search pixels, up to which confidence is full; from twice as much on it is 0."""
DIFFERENCE_LEVELS = 18.0
"""Difference in gray levels between both ends of a motion that lowers confidence to 1/e."""


@dataclass(frozen=True)
class Motion:
    """Motion between an earlier and a later frame, on maps of (h, w)."""

    to_earlier: Map
    """(h, w, 2), x and y in map pixels: from each point of the later frame to its place in the earlier one."""
    to_later: Map
    """From each point of the earlier frame to its place in the later one."""
    confidence_to_earlier: Map
    """(h, w) in [0, 1]: how reliable ``to_earlier`` is."""
    confidence_to_later: Map


class MotionSearch:
    """Finds the motion between frames. Not thread-safe."""

    def __init__(self) -> None:
        self._searcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._searcher.setFinestScale(1)  # half the search size, which is about that of the maps

    def between(self, earlier: GrayImage, later: GrayImage, size_wh: tuple[int, int]) -> Motion:
        """The motion between two gray frames of one size, (H, W) uint8, on maps of ``size_wh``."""
        small = search_size(earlier.shape[1], earlier.shape[0])
        if min(small) < SMALLEST_SIDE:
            return _no_motion(earlier, later, size_wh)
        before, after = (np.asarray(_resized(frame, small), np.uint8) for frame in (earlier, later))
        to_earlier, to_later = self._search(after, before), self._search(before, after)
        return Motion(
            to_earlier=_scaled_flow(to_earlier, size_wh),
            to_later=_scaled_flow(to_later, size_wh),
            confidence_to_earlier=_resized(_confidence(after, before, to_earlier, to_later), size_wh),
            confidence_to_later=_resized(_confidence(before, after, to_later, to_earlier), size_wh),
        )

    def _search(self, start: GrayImage, end: GrayImage) -> Map:
        """Flow (H, W, 2) from ``start`` to ``end`` in pixels."""
        still = np.zeros((*start.shape, 2), np.float32)
        return np.asarray(self._searcher.calc(start, end, still), np.float32)


def warp_by_flow(values: Map, flow: Map) -> Map:
    """Backward warping: each point gets the value at the end of its flow, bilinearly; edges are repeated.

    ``values`` are (h, w) or (h, w, c), ``flow`` is (h, w, 2) in pixels, x and y.
    """
    height, width = flow.shape[:2]
    x, y = (np.ascontiguousarray(axis) for axis in np.moveaxis(flow + _grid(height, width), 2, 0))
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def search_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the images that are searched: the short side is at most ``SEARCH_SIDE``."""
    scale = min(1.0, SEARCH_SIDE / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _confidence(start: GrayImage, end: GrayImage, forward: Map, backward: Map) -> Map:
    """Confidence in ``forward``, the flow from ``start`` to ``end``: by forward-backward error and by how alike both
    ends look."""
    round_trip = forward + warp_by_flow(backward, forward)
    error = np.hypot(round_trip[..., 0], round_trip[..., 1])
    difference = np.abs(start.astype(np.float32) - warp_by_flow(end.astype(np.float32), forward)) / DIFFERENCE_LEVELS
    confidence: Map = np.clip(2 - error / RETURN_ERROR_PX, 0, 1) * np.exp(-difference * difference)
    return confidence


def _no_motion(earlier: GrayImage, later: GrayImage, size_wh: tuple[int, int]) -> Motion:
    still = np.zeros((size_wh[1], size_wh[0], 2), np.float32)
    difference = (earlier.astype(np.float32) - later.astype(np.float32)) / np.float32(DIFFERENCE_LEVELS)
    confidence = _resized(np.exp(-difference * difference), size_wh)
    return Motion(to_earlier=still, to_later=still, confidence_to_earlier=confidence, confidence_to_later=confidence)


def _scaled_flow(flow: Map, size_wh: tuple[int, int]) -> Map:
    height, width = flow.shape[:2]
    return _resized(flow, size_wh) * np.array([size_wh[0] / width, size_wh[1] / height], np.float32)


def _resized(values: NDArray[np.uint8] | Map, size_wh: tuple[int, int]) -> Map:
    """Scaled by averaging areas; the dtype stays."""
    resized: Map = cv2.resize(values, size_wh, interpolation=cv2.INTER_AREA)
    return resized


@cache
def _grid(height: int, width: int) -> Map:
    """Each point's own position, (h, w, 2): x, y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y], axis=-1).astype(np.float32)
