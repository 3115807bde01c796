"""Where to look for faces, how a region becomes a net's input, and which finds are the same face.

Regions and boxes are in pixels of the frame as it is stored; a net sees a region turned upright,
scaled into the top-left part of a square and black elsewhere.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .arrays import GrayImage, Points
from .faces import Box, Detection
from .frames import Rotation

TILE_OVERLAP = 0.14
"""Neighbouring tiles share this part of a side, so that a small face is whole in one of them."""


@dataclass(frozen=True, kw_only=True)
class CropRegion:
    """A rectangle of whole pixels within a frame."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width < 1 or self.height < 1:
            raise ValueError(f"a region lies within the frame and is not empty, got {self}")


@dataclass(frozen=True, kw_only=True)
class CropView:
    """One region of a frame, as a net with a square input of ``side`` pixels sees it."""

    region: CropRegion
    rotation: Rotation
    side: int

    def input(self, gray: GrayImage) -> GrayImage:
        """The net's input, (side, side) uint8, from ``gray`` (H, W)."""
        region, (across, down) = self.region, self._used_wh()
        part = gray[region.y : region.y + down, region.x : region.x + across]
        # Averaging whole pixels and interpolating the rest costs a fifth of averaging parts of pixels.
        if (times := self._whole_times()) > 1:
            part = cv2.resize(part, (across // times, down // times), interpolation=cv2.INTER_AREA)
        scaled = cv2.resize(part, self._scaled_wh(), interpolation=cv2.INTER_LINEAR)
        upright = np.rot90(scaled, -self.rotation // 90)
        canvas = np.zeros((self.side, self.side), np.uint8)
        canvas[: upright.shape[0], : upright.shape[1]] = upright
        return canvas

    def to_frame(self, points: Points) -> Points:
        """Points (N, 2) in the input's pixels as points of the frame."""
        (width, height), (across, down) = self._scaled_wh(), self._used_wh()
        x, y = points[:, 0], points[:, 1]
        if self.rotation == 90:
            x, y = y, height - x
        elif self.rotation == 180:
            x, y = width - x, height - y
        elif self.rotation == 270:
            x, y = width - y, x
        return np.stack([self.region.x + x * across / width, self.region.y + y * down / height], axis=1)

    def _whole_times(self) -> int:
        """How many whole times the region is shrunk."""
        return max(1, max(self.region.width, self.region.height) // self.side)

    def _used_wh(self) -> tuple[int, int]:
        """The part of the region that is shrunk evenly; less than one input pixel is left over."""
        times = self._whole_times()
        return max(times, self.region.width // times * times), max(times, self.region.height // times * times)

    def _scaled_wh(self) -> tuple[int, int]:
        scale = self.side / max(self.region.width, self.region.height)
        return max(1, round(self.region.width * scale)), max(1, round(self.region.height * scale))


def tiles_of(size_wh: tuple[int, int], small_tile: int) -> list[CropRegion]:
    """The whole frame first, then squares over its shorter side, then squares of ``small_tile``.

    A layer that would see little more than the one before is left out, so a small frame may be
    its only tile. A long strip is cut into few pieces, not into tiny squares.
    """
    width, height = size_wh
    tiles = [CropRegion(x=0, y=0, width=width, height=height)]
    seen = max(width, height)
    for side in (max(min(width, height), seen // 4), small_tile):
        if side < 0.8 * seen:
            tiles += _grid(width, height, side)
            seen = side
    return tiles


def _grid(width: int, height: int, side: int) -> list[CropRegion]:
    across, down = min(side, width), min(side, height)
    return [
        CropRegion(x=x, y=y, width=across, height=down) for y in _starts(height, down) for x in _starts(width, across)
    ]


def _starts(length: int, side: int) -> list[int]:
    """Evenly spaced starts of intervals of ``side`` that cover ``length`` and overlap."""
    overlap = TILE_OVERLAP * side
    count = 1 if side >= length else max(2, math.ceil((length - overlap) / (side - overlap)))
    return [round(k * (length - side) / max(1, count - 1)) for k in range(count)]


def square_around(box: Box, times: float, size_wh: tuple[int, int]) -> CropRegion | None:
    """A square of ``times`` the box's longer side about its centre, moved into the frame where it juts out.

    ``None`` where the box's centre lies outside the frame.
    """
    (x, y), (width, height) = box.center, size_wh
    if not (0 <= x < width and 0 <= y < height):
        return None
    side = max(1, round(times * max(box.width, box.height)))
    across, down = min(side, width), min(side, height)
    left = min(max(0, round(x - across / 2)), width - across)
    top = min(max(0, round(y - down / 2)), height - down)
    return CropRegion(x=left, y=top, width=across, height=down)


def likeness(one: Box, other: Box) -> float:
    """How near two boxes are in place and size: 1 the same, 0 from a box's width apart or twice the size."""
    size = math.sqrt(math.sqrt(one.area * other.area))
    distance = math.dist(one.center, other.center) / size
    ratio = abs(math.log2(one.area / other.area)) / 2
    return max(0.0, 1 - distance) * max(0.0, 1 - ratio)


def best_match(box: Box, found: Iterable[Detection]) -> Detection | None:
    """The detection most like ``box``, if any is like it at all."""
    best = max(found, key=lambda one: likeness(one.box, box), default=None)
    return best if best and likeness(best.box, box) > 0 else None


def covers(one: Box, other: Box) -> bool:
    """Whether two boxes cannot be two faces: they overlap by much, or one lies in the other."""
    shared = one.overlap(other)
    intersection = shared * (one.area + other.area) / (1 + shared)
    return shared > 0.3 or intersection > 0.7 * min(one.area, other.area)


def without_repeats(faces: Sequence[Detection], taken: Sequence[Detection] = ()) -> list[Detection]:
    """Those of ``faces`` that repeat none in ``taken`` nor a better one among themselves, best first."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if not any(covers(face.box, other.box) for other in [*taken, *kept]):
            kept.append(face)
    return kept
