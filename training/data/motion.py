"""Motion in clips: dense backward optical flow, and which of it is consistent in both directions. Needs no torch.

Flow is dense inverse search (Kroeger et al. 2016) in OpenCV's preset "medium", on gray images, in both directions. It
is consistent at a point where the two directions cancel out in the sense of Sundaram, Brox and Keutzer 2010 and where
the point does not come from outside the frame.
"""

from dataclasses import dataclass
from statistics import fmean
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import GrayImage
from emocolor.chroma.motion import warp_by_flow
from emocolor.errors import SourceError

from .clips import ClipFrame

MIN_CONSISTENT_SHARE: Final = 0.05
"""Pairs of frames with a smaller share are not measured: in frames that show different things, as at a cut that was
missed, a few points are consistent by chance."""
MIN_SHOT_FRAMES: Final = 8
"""A clip without a shot of this length is not measured."""
RELATIVE_TOLERANCE: Final = 0.01
ABSOLUTE_TOLERANCE: Final = 0.5
"""Flow is consistent where the square of what both directions leave (px²) is at most ``RELATIVE_TOLERANCE`` times the
sum of their squares, plus ``ABSOLUTE_TOLERANCE``: the values of Sundaram et al."""


@dataclass(frozen=True)
class BackwardFlow:
    """Where each point of a frame was in the frame before."""

    offsets: NDArray[np.float32]
    """(H, W, 2), x and y in px: from a point to its place in the frame before."""
    consistent: NDArray[np.bool_]
    """(H, W)"""

    @property
    def consistent_share(self) -> float:
        """Share of the points whose flow is consistent, in [0, 1]."""
        return float(self.consistent.mean())


class FlowEstimator:
    """Estimates the backward flow of pairs of frames."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def backward_flow(self, before: GrayImage, gray: GrayImage) -> BackwardFlow:
        """The flow from ``gray`` to the frame before it; both (H, W) uint8, sides of at least ``clips.MIN_SIDE`` px."""
        backward, forward = self._flow(gray, before), self._flow(before, gray)
        back = warp_by_flow(forward, backward)
        tolerance = RELATIVE_TOLERANCE * (_squared_length(backward) + _squared_length(back)) + ABSOLUTE_TOLERANCE
        return BackwardFlow(backward, (_squared_length(backward + back) <= tolerance) & _inside(backward))

    def _flow(self, start: GrayImage, end: GrayImage) -> NDArray[np.float32]:
        return np.asarray(self._search.calc(np.ascontiguousarray(start), np.ascontiguousarray(end), None), np.float32)


class MotionTracker:
    """Follows the motion of one clip, in the memory of one frame."""

    def __init__(self, name: str) -> None:
        """``name`` is for messages."""
        self._name = name
        self._estimator = FlowEstimator()
        self._before: GrayImage | None = None
        self._shares: list[float] = []
        """The consistent share of each pair of frames."""
        self._frames, self._shot, self._longest_shot = 0, 0, 0

    def __len__(self) -> int:
        """Frames so far."""
        return self._frames

    def update(self, frame: ClipFrame) -> BackwardFlow | None:
        """Take the next frame and return its flow; None at the start of a shot."""
        before, self._before = self._before, frame.gray
        flow = None if before is None or frame.cut else self._estimator.backward_flow(before, frame.gray)
        if flow is not None:
            self._shares.append(flow.consistent_share)
        self._frames += 1
        self._shot = 1 if flow is None else self._shot + 1
        self._longest_shot = max(self._longest_shot, self._shot)
        return flow

    def consistent_share(self) -> float:
        """Mean over the pairs of frames, in [0, 1]; raises ``SourceError`` where it means nothing."""
        if self._longest_shot < MIN_SHOT_FRAMES:
            raise SourceError(f"{self._name} has fewer than {MIN_SHOT_FRAMES} frames without a cut.")
        if max(self._shares) < MIN_CONSISTENT_SHARE:
            raise SourceError(f"{self._name} moves in a way that optical flow cannot follow.")
        return fmean(self._shares)


def warp_error(before: NDArray[np.float32], after: NDArray[np.float32], flow: BackwardFlow) -> float:
    """Mean absolute difference of ``after`` (H, W, C) from ``before`` warped along the flow, where it is consistent.

    The warping error of Lai et al. 2018 (Learning blind video temporal consistency), not squared; in the units of the
    values. Raises ``ValueError`` where no point is consistent.
    """
    if not flow.consistent.any():
        raise ValueError("No point of the flow is consistent.")
    return float(np.abs(after - warp_by_flow(before, flow.offsets))[flow.consistent].mean(dtype=np.float64))


def _squared_length(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) of (H, W, 2)."""
    return np.asarray(np.square(flow).sum(axis=2), np.float32)


def _inside(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where (H, W, 2) does not point out of the frame."""
    height, width = flow.shape[:2]
    x, y = flow[..., 0] + np.arange(width), flow[..., 1] + np.arange(height)[:, None]
    return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))
