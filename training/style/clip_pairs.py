"""Neighbouring frames of clips, followed along their motion: what style nets learn to hold still on, beside photos.

A photo that is moved by whole pixels shows nothing that turns, is lit anew or comes into sight. Here two views are two
frames, and where each point of the later one was before tells optical flow (``training.colorizer.video_metrics.Matcher``), as in
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

from emocolor.chroma.conversion import Rgb8
from emocolor.errors import SourceError

from ..data.clips import MotionTracker, clips_in, read_clip, shown_frames
from ..data.faces import sha256_of

HEIGHT: Final = 256
"""Short side that clips are scaled down to, px: the size of the photos."""
EVERY: Final = 6
"""Of the pairs of neighbouring frames, every so many are kept: those between show nearly the same."""
BELIEVED_SHARE: Final = 0.5
"""Part of a pair's points whose motion must be believed."""
SECONDS: Final = 60.0
"""How much of a clip is read."""


@dataclass(frozen=True)
class Motion:
    """Where the points of the second views were in the first."""

    to_first: Tensor
    """(N, S, S, 2) float32: x and y, px."""
    believed: Tensor
    """(N, 1, S, S) float32: 1 where the motion is believed and stays within the view, else 0."""

    def to(self, device: torch.device) -> "Motion":
        return Motion(self.to_first.to(device), self.believed.to(device))


@dataclass(frozen=True)
class ClipPair:
    """Two neighbouring frames of one shot."""

    before: Rgb8
    after: Rgb8
    to_before: NDArray[np.float16]
    """(H, W, 2), as ``training.colorizer.video_metrics.Match`` has it."""
    believed: NDArray[np.bool_]


@dataclass(frozen=True)
class ClipPairs:
    """Pairs to draw from."""

    pairs: Sequence[ClipPair]
    sha256: dict[str, str]
    """Of the clips, by name."""

    def squares(self, count: int, side: int, random: np.random.Generator) -> tuple[Tensor, Tensor, Motion]:
        """``count`` pairs drawn anew, cut to squares: sRGB (N, 3, S, S) in [0, 1] before and after, and the motion."""
        chosen = [self.pairs[i] for i in random.integers(len(self.pairs), size=count)]
        cuts = [_cut(pair, side, random) for pair in chosen]
        before, after = (
            torch.from_numpy(np.stack(pictures)).movedim(3, 1).float() / 255
            for pictures in zip(*((cut.before, cut.after) for cut in cuts), strict=True)
        )
        to_first = torch.from_numpy(np.stack([cut.to_before for cut in cuts])).float()
        believed = torch.from_numpy(np.stack([cut.believed for cut in cuts]))[:, None].float()
        return before, after, Motion(to_first, believed * _within(to_first, side))


def read_pairs(places: Sequence[Path], least_side: int) -> ClipPairs:
    """The pairs of all clips in folders and files; squares of ``least_side`` px must fit.

    Raises ``SourceError`` where a clip cannot be decoded or is too small, and where none has a pair that can be
    followed.
    """
    clips = clips_in(places)
    pairs = [pair for path in clips for pair in _pairs_of(path, least_side)]
    if not pairs:
        raise SourceError(f"Nothing can be followed in {', '.join(path.name for path in clips)}.")
    return ClipPairs(pairs, {path.name: sha256_of(path) for path in clips})


def followed_difference(first: Tensor, second: Tensor, motion: Motion) -> Tensor:
    """Mean squared difference of (N, 3, S, S) of the second views from the first carried to them, where believed."""
    side = first.shape[3]
    rows, columns = torch.meshgrid(*[torch.arange(side, device=first.device, dtype=torch.float32)] * 2, indexing="ij")
    places = motion.to_first + torch.stack([columns, rows], dim=-1)
    carried = functional.grid_sample(first, places * (2 / (side - 1)) - 1, align_corners=True)
    count = first.shape[1] * motion.believed.sum().clamp(min=1)
    return ((carried - second).square() * motion.believed).sum() / count


def _pairs_of(path: Path, least_side: int) -> Iterator[ClipPair]:
    motion_tracker, before = MotionTracker(path.name), None
    for number, shown in enumerate(shown_frames(read_clip(path, seconds=SECONDS, height=HEIGHT))):
        if min(shown.gray.shape) < least_side:
            raise SourceError(f"{path.name} is smaller than the squares of {least_side} px to learn from.")
        match = motion_tracker.match(shown)
        if before is not None and match is not None and number % EVERY == 0 and match.share >= BELIEVED_SHARE:
            yield ClipPair(before, shown.rgb, match.to_before.astype(np.float16), match.believed)
        before = shown.rgb


def _cut(pair: ClipPair, side: int, random: np.random.Generator) -> ClipPair:
    height, width = pair.believed.shape
    top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
    cut = slice(top, top + side), slice(left, left + side)
    return ClipPair(pair.before[cut], pair.after[cut], pair.to_before[cut], pair.believed[cut])


def _within(to_first: Tensor, side: int) -> Tensor:
    """Where (N, S, S, 2) does not point out of the view: (N, 1, S, S) float32."""
    rows, columns = torch.meshgrid(*[torch.arange(side, dtype=torch.float32)] * 2, indexing="ij")
    x, y = to_first[..., 0] + columns, to_first[..., 1] + rows
    return ((x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1))[:, None].float()
