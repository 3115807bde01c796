"""Neighbouring frames of clips with their optical flow, on which style nets learn temporal consistency, beside photos.

A photo that is shifted by whole pixels shows nothing that turns, changes its light or comes into sight. Here two views
are two frames, and optical flow (``training.data.motion``) tells where each point of the later one was before, as in
Ruder, Dosovitskiy and Brox 2016 ("Artistic style transfer for videos", section 4.2).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from emocolor.arrays import RgbImage
from emocolor.errors import SourceError

from ..data.clips import find_clips, read_clip
from ..data.motion import MotionTracker
from ..records import sha256_of

HEIGHT: Final = 256
"""Short side that clips are scaled down to, px: the size of the photos."""
PAIR_STRIDE: Final = 6
"""Every sixth pair of neighbouring frames is kept: those between show nearly the same."""
MIN_CONSISTENT_SHARE: Final = 0.5
"""Pairs with a smaller share of consistent flow are left out."""
SECONDS: Final = 60.0
"""How much of a clip is read."""


@dataclass(frozen=True)
class FlowField:
    """Backward optical flow of a batch: where the points of the second views were in the first."""

    offsets: Tensor
    """(N, S, S, 2) float32: x and y, px."""
    valid: Tensor
    """(N, 1, S, S) float32: 1 where the flow is consistent and stays within the view, else 0."""

    def to(self, device: torch.device) -> "FlowField":
        return FlowField(self.offsets.to(device), self.valid.to(device))


@dataclass(frozen=True)
class ClipPair:
    """Two neighbouring frames of one shot."""

    before: RgbImage
    after: RgbImage
    offsets: NDArray[np.float16]
    """(H, W, 2), as in ``training.data.motion.BackwardFlow``."""
    consistent: NDArray[np.bool_]


@dataclass(frozen=True)
class ClipPairs:
    """Pairs to draw from."""

    pairs: Sequence[ClipPair]
    sha256: dict[str, str]
    """Of the clips, by name."""

    def crops(self, count: int, side: int, random: np.random.Generator) -> tuple[Tensor, Tensor, FlowField]:
        """Square crops of ``count`` random pairs: sRGB (N, 3, S, S) in [0, 1] before and after, and the flow."""
        drawn = [self.pairs[i] for i in random.integers(len(self.pairs), size=count)]
        crops = [_crop(pair, side, random) for pair in drawn]
        before, after = (
            torch.from_numpy(np.stack(frames)).movedim(3, 1).float() / 255
            for frames in zip(*((crop.before, crop.after) for crop in crops), strict=True)
        )
        offsets = torch.from_numpy(np.stack([crop.offsets for crop in crops])).float()
        consistent = torch.from_numpy(np.stack([crop.consistent for crop in crops]))[:, None].float()
        return before, after, FlowField(offsets, consistent * _inside(offsets, side))


def read_pairs(places: Sequence[Path], min_side: int) -> ClipPairs:
    """The pairs of all clips in folders and files; crops of ``min_side`` px must fit.

    Raises ``SourceError`` where a clip cannot be decoded or is too small, and where no pair has consistent flow.
    """
    clips = find_clips(places)
    pairs = [pair for path in clips for pair in _pairs_of(path, min_side)]
    if not pairs:
        raise SourceError(f"No frames with consistent optical flow in {', '.join(path.name for path in clips)}.")
    return ClipPairs(pairs, {path.name: sha256_of(path) for path in clips})


def warped_difference(first: Tensor, second: Tensor, flow: FlowField) -> Tensor:
    """Mean squared difference of (N, 3, S, S) of the second views from the first warped to them, where valid."""
    side = first.shape[3]
    rows, columns = torch.meshgrid(*[torch.arange(side, device=first.device, dtype=torch.float32)] * 2, indexing="ij")
    places = flow.offsets + torch.stack([columns, rows], dim=-1)
    warped = functional.grid_sample(first, places * (2 / (side - 1)) - 1, align_corners=True)
    count = first.shape[1] * flow.valid.sum().clamp(min=1)
    return ((warped - second).square() * flow.valid).sum() / count


def _pairs_of(path: Path, min_side: int) -> Iterator[ClipPair]:
    motion, before = MotionTracker(path.name), None
    for number, frame in enumerate(read_clip(path, seconds=SECONDS, height=HEIGHT)):
        if min(frame.gray.shape) < min_side:
            raise SourceError(f"{path.name} is smaller than the training crops of {min_side} px.")
        flow = motion.update(frame)
        if (
            before is not None
            and flow is not None
            and number % PAIR_STRIDE == 0
            and flow.consistent_share >= MIN_CONSISTENT_SHARE
        ):
            yield ClipPair(before, frame.rgb, flow.offsets.astype(np.float16), flow.consistent)
        before = frame.rgb


def _crop(pair: ClipPair, side: int, random: np.random.Generator) -> ClipPair:
    height, width = pair.consistent.shape
    top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
    square = slice(top, top + side), slice(left, left + side)
    return ClipPair(pair.before[square], pair.after[square], pair.offsets[square], pair.consistent[square])


def _inside(offsets: Tensor, side: int) -> Tensor:
    """Where (N, S, S, 2) does not point out of the view: (N, 1, S, S) float32."""
    rows, columns = torch.meshgrid(*[torch.arange(side, dtype=torch.float32)] * 2, indexing="ij")
    x, y = offsets[..., 0] + columns, offsets[..., 1] + rows
    return ((x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1))[:, None].float()
