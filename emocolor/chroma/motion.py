"""How the frame moves from one frame to the next, so that colour can travel with it.

Dense inverse search (Kroeger et al. 2016) in OpenCV's form, both ways. Where the two ways do not undo each
other, or where the frame looks different at the other end, something came into sight or the search
failed: trust is low there.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import GrayImage, Map

SEARCH_SIDE = 128
"""Short side in pixels at which motion is searched."""
SMALLEST_SIDE = 32
"""Below this the search has no patches to work with, and nothing is taken to move."""
RETURN_PX = 0.75
"""How far from its start, in search pixels, a point may come back for full trust; twice as far ends it."""
UNLIKE_LEVELS = 18.0
"""Difference in gray levels between both ends of a motion that lowers trust to 1/e."""


@dataclass(frozen=True)
class Motion:
    """Between an earlier and a later frame, on maps of (h, w)."""

    to_earlier: Map
    """(h, w, 2), x and y in map pixels: from each point of the later frame to where it was."""
    to_later: Map
    """From each point of the earlier frame to where it will be."""
    trust_earlier: Map
    """(h, w) in [0, 1]: how far ``to_earlier`` can be believed."""
    trust_later: Map


class MotionSearch:
    """Finds the motion between frames. Not for two threads at once."""

    def __init__(self) -> None:
        self._searcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._searcher.setFinestScale(1)

    def between(self, earlier: GrayImage, later: GrayImage, size_wh: tuple[int, int]) -> Motion:
        """The motion between two frames of one size, (H, W) uint8, on maps of ``size_wh``."""
        small = search_size(earlier.shape[1], earlier.shape[0])
        if min(small) < SMALLEST_SIDE:
            return _no_motion(earlier, later, size_wh)
        before, after = (np.asarray(_resized(frame, small), np.uint8) for frame in (earlier, later))
        to_earlier, to_later = self._search(after, before), self._search(before, after)
        return Motion(
            to_earlier=_scaled_flow(to_earlier, size_wh),
            to_later=_scaled_flow(to_later, size_wh),
            trust_earlier=_resized(_trust(after, before, to_earlier, to_later), size_wh),
            trust_later=_resized(_trust(before, after, to_later, to_earlier), size_wh),
        )

    def _search(self, start: GrayImage, end: GrayImage) -> Map:
        """Flow (H, W, 2) from ``start`` to ``end`` in pixels."""
        still = np.zeros((*start.shape, 2), np.float32)
        return np.asarray(self._searcher.calc(start, end, still), np.float32)


def carried(values: Map, flow: Map) -> Map:
    """What lies at the end of each point's flow: maps (h, w) or (h, w, c), bilinear, edges repeated."""
    height, width = flow.shape[:2]
    x, y = (np.ascontiguousarray(axis) for axis in np.moveaxis(flow + _grid(height, width), 2, 0))
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def search_size(width: int, height: int) -> tuple[int, int]:
    """Width and height at which motion is searched: the short side at most ``SEARCH_SIDE``."""
    scale = min(1.0, SEARCH_SIDE / min(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _trust(start: GrayImage, end: GrayImage, there: Map, back: Map) -> Map:
    returned = there + carried(back, there)
    missed = np.hypot(returned[..., 0], returned[..., 1])
    unlike = np.abs(start.astype(np.float32) - carried(end.astype(np.float32), there)) / UNLIKE_LEVELS
    found: Map = np.clip(2 - missed / RETURN_PX, 0, 1) * np.exp(-unlike * unlike)
    return found


def _no_motion(earlier: GrayImage, later: GrayImage, size_wh: tuple[int, int]) -> Motion:
    still = np.zeros((size_wh[1], size_wh[0], 2), np.float32)
    unlike = (earlier.astype(np.float32) - later.astype(np.float32)) / np.float32(UNLIKE_LEVELS)
    trust = _resized(np.exp(-unlike * unlike), size_wh)
    return Motion(to_earlier=still, to_later=still, trust_earlier=trust, trust_later=trust)


def _scaled_flow(flow: Map, size_wh: tuple[int, int]) -> Map:
    height, width = flow.shape[:2]
    return _resized(flow, size_wh) * np.array([size_wh[0] / width, size_wh[1] / height], np.float32)


def _resized(values: NDArray[np.uint8] | Map, size_wh: tuple[int, int]) -> Map:
    """Area means, in the given type."""
    resized: Map = cv2.resize(values, size_wh, interpolation=cv2.INTER_AREA)
    return resized


@cache
def _grid(height: int, width: int) -> Map:
    """Each point's own place, (h, w, 2): x, y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y], axis=-1).astype(np.float32)
