"""Where one shot ends and the next begins."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from .frames import Frame

GRID_WH = (32, 18)
_SAMPLES_WH = (256, 144)

LONG_STEP_SECONDS = 0.2
"""Frames further apart than this may differ much within one shot."""

Grid = NDArray[np.float32]


class CutDetector:
    """Finds hard cuts, frame by frame, in luma averaged over a coarse grid.

    A cut is a frame that is unlike the one before in pattern (a flash or a fade changes the light,
    but hardly the pattern) and changes several times as much as its forerunner did (a fast pan
    changes every frame alike). On the clips it was made with, cuts correlate at 0.73 and less
    with the frame before, and shots without fast motion at 0.8 and more.
    """

    def __init__(
        self, *, alike: float = 0.8, alike_later: float = 0.4, change: float = 0.05, jump: float = 2.0
    ) -> None:
        self._alike = alike
        """Correlation of neighbouring frames from which they are of one shot."""
        self._alike_later = alike_later
        """The same after a gap in time."""
        self._change = change
        """Least mean absolute change of luma at a cut, as a part of white."""
        self._jump = jump
        """How many times the previous change a cut's is, at least."""
        self._before: Grid | None = None
        self._time_before = 0.0
        self._change_before = math.inf  # one change alone tells nothing of its like

    def is_cut(self, frame: Frame) -> bool:
        """Whether ``frame`` starts a new shot; frames must be passed in order."""
        grid = _grid(frame)
        before, self._before = self._before, grid
        gap, self._time_before = frame.time - self._time_before, frame.time
        if before is None:
            return False
        alike = self._alike if gap <= LONG_STEP_SECONDS else self._alike_later
        change = float(np.abs(grid - before).mean())
        calm, self._change_before = self._change_before, change
        return change > max(self._change, self._jump * calm) and _correlation(grid, before) < alike


def _grid(frame: Frame) -> Grid:
    """Luma of a coarse grid, as parts of the code range; sampled first, so that size costs nothing."""
    height, width = frame.luma.shape
    step_x, step_y = max(1, width // _SAMPLES_WH[0]), max(1, height // _SAMPLES_WH[1])
    samples = np.ascontiguousarray(frame.luma[step_y // 2 :: step_y, step_x // 2 :: step_x])
    grid = cv2.resize(samples, GRID_WH, interpolation=cv2.INTER_AREA)
    return np.asarray(grid, np.float32) / np.float32((1 << frame.format.bits) - 1)


def _correlation(one: Grid, other: Grid) -> float:
    """Pearson's; 0 where either frame is flat."""
    a, b = one - one.mean(), other - other.mean()
    spread = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / spread if spread > 1e-6 else 0.0
