"""The search for faces: regions to search, a region as a net's input, and duplicates among detections.

Regions and boxes are in pixels of the frame as it is stored. A net sees a region upright, scaled to fit the top-left of
a square that is black elsewhere.
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
"""Neighbouring tiles share this fraction of their side, so that a small face lies whole in one of them."""


@dataclass(frozen=True, kw_only=True)
class CropRegion:
    """A rectangle of whole pixels inside a frame."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.x < 0 or self.y < 0 or self.width < 1 or self.height < 1:
            raise ValueError(f"a region must lie inside the frame and must not be empty, got {self}")


@dataclass(frozen=True, kw_only=True)
class CropView:
    """A region of a frame as the input of a net that takes squares of ``side`` pixels."""

    region: CropRegion
    rotation: Rotation
    side: int

    def input(self, gray: GrayImage) -> GrayImage:
        """The net's input, (side, side) uint8, from ``gray`` (H, W)."""
        region, (across, down) = self.region, self._used_wh()
        part = gray[region.y : region.y + down, region.x : region.x + across]
        # Averaging whole pixels and interpolating the rest takes a fifth of the time of averaging parts of pixels.
        if (factor := self._integer_factor()) > 1:
            part = cv2.resize(part, (across // factor, down // factor), interpolation=cv2.INTER_AREA)
        scaled = cv2.resize(part, self._scaled_wh(), interpolation=cv2.INTER_LINEAR)
        upright = np.rot90(scaled, -self.rotation // 90)
        canvas = np.zeros((self.side, self.side), np.uint8)
        canvas[: upright.shape[0], : upright.shape[1]] = upright
        return canvas

    def to_frame(self, points: Points) -> Points:
        """Map points (N, 2) from the input's pixels to the frame's."""
        (width, height), (across, down) = self._scaled_wh(), self._used_wh()
        x, y = points[:, 0], points[:, 1]
        if self.rotation == 90:
            x, y = y, height - x
        elif self.rotation == 180:
            x, y = width - x, height - y
        elif self.rotation == 270:
            x, y = width - y, x
        return np.stack([self.region.x + x * across / width, self.region.y + y * down / height], axis=1)

    def _integer_factor(self) -> int:
        """The whole-numbered part of the factor by which the region shrinks."""
        return max(1, max(self.region.width, self.region.height) // self.side)

    def _used_wh(self) -> tuple[int, int]:
        """Width and height of the region in multiples of the whole factor; less than one input pixel is left out."""
        factor = self._integer_factor()
        return max(factor, self.region.width // factor * factor), max(factor, self.region.height // factor * factor)

    def _scaled_wh(self) -> tuple[int, int]:
        scale = self.side / max(self.region.width, self.region.height)
        return max(1, round(self.region.width * scale)), max(1, round(self.region.height * scale))


def tiles_of(size_wh: tuple[int, int], small_tile: int) -> list[CropRegion]:
    """Tiles that cover the frame in up to three layers, coarse to fine.

    The first tile is the whole frame; then come squares as high as its shorter side, then squares of ``small_tile``
    pixels. A layer whose tiles are hardly smaller than those before is left out, so a small frame may be its only tile.
    A long strip is cut into few pieces, not into tiny squares.
    """
    width, height = size_wh
    tiles = [CropRegion(x=0, y=0, width=width, height=height)]
    coarser = max(width, height)
    for side in (max(min(width, height), coarser // 4), small_tile):
        if side < 0.8 * coarser:
            tiles += _grid(width, height, side)
            coarser = side
    return tiles


def _grid(width: int, height: int, side: int) -> list[CropRegion]:
    across, down = min(side, width), min(side, height)
    return [
        CropRegion(x=x, y=y, width=across, height=down) for y in _starts(height, down) for x in _starts(width, across)
    ]


def _starts(length: int, side: int) -> list[int]:
    """Evenly spaced starts of overlapping intervals of ``side`` that cover ``length``."""
    overlap = TILE_OVERLAP * side
    count = 1 if side >= length else max(2, math.ceil((length - overlap) / (side - overlap)))
    return [round(k * (length - side) / max(1, count - 1)) for k in range(count)]


def square_around(box: Box, scale: float, size_wh: tuple[int, int]) -> CropRegion | None:
    """A square around the box, ``scale`` times its longer side, shifted into the frame where it would extend outside.

    ``None`` if the box's centre lies outside the frame.
    """
    (x, y), (width, height) = box.center, size_wh
    if not (0 <= x < width and 0 <= y < height):
        return None
    side = max(1, round(scale * max(box.width, box.height)))
    across, down = min(side, width), min(side, height)
    left = min(max(0, round(x - across / 2)), width - across)
    top = min(max(0, round(y - down / 2)), height - down)
    return CropRegion(x=left, y=top, width=across, height=down)


def similarity(one: Box, other: Box) -> float:
    """How alike two boxes are in place and size: 1 if equal, 0 from one box width apart or twice the size."""
    size = math.sqrt(math.sqrt(one.area * other.area))
    distance = math.dist(one.center, other.center) / size
    ratio = abs(math.log2(one.area / other.area)) / 2
    return max(0.0, 1 - distance) * max(0.0, 1 - ratio)


def best_match(box: Box, detections: Iterable[Detection]) -> Detection | None:
    """The detection most similar to ``box``; ``None`` if all have a similarity of 0."""
    best = max(detections, key=lambda one: similarity(one.box, box), default=None)
    return best if best and similarity(best.box, box) > 0 else None


def is_duplicate(one: Box, other: Box) -> bool:
    """Whether two boxes must show one face: they overlap by much, or one lies inside the other."""
    iou = one.overlap(other)
    intersection = iou * (one.area + other.area) / (1 + iou)
    return iou > 0.3 or intersection > 0.7 * min(one.area, other.area)


def without_duplicates(faces: Sequence[Detection], taken: Sequence[Detection] = ()) -> list[Detection]:
    """Non-maximum suppression: drop faces that duplicate one in ``taken`` or a better one; best score first."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if not any(is_duplicate(face.box, other.box) for other in [*taken, *kept]):
            kept.append(face)
    return kept
