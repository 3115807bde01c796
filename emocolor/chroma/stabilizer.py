"""Temporal stabilization of colour, from frame to frame of a shot.

A colorizer sees each frame alone, and its output varies between frames. Here each estimate is evidence that is carried
along the optical flow, lost where flow is unreliable, and decays with time, like the evidence of emotions
(:mod:`emocolor.smoothing`). The colour of a frame is the weighted mean of earlier estimates and, where the caller can
wait, of later ones. Nothing crosses a cut, because every shot has a stabilizer of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

import cv2
import numpy as np

from ..arrays import AbMap, GrayImage, Map
from ..errors import ConfigurationError
from .motion import Motion, MotionSearch, warp_by_flow

FILL_WEIGHT = 0.02
"""Weight of the surrounding colour, so that points without evidence of their own take it on."""
MIN_WEIGHT = 1e-3
"""Weight that evidence keeps, however unreliable its path and however old it is."""
FILL_RADIUS_DIVISOR = 8
"""Surroundings extend over the map's shorter side divided by this."""


@dataclass(frozen=True, kw_only=True)
class StabilizerOptions:
    """How colour is stabilized. Raises ``ConfigurationError`` for values out of range."""

    time_constant: float = 1.0
    """Seconds in which evidence decays to 1/e, 0.01 to 60."""
    look_ahead: float = 0.8
    """Seconds of later footage that count too, 0 to 10; 0 for live use, which cannot wait."""
    max_waiting: int = 1000
    """Maximum number of frames that wait for later ones; beyond it, the oldest is released with what is known."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.time_constant <= 60:
            raise ConfigurationError(f"time_constant must lie between 0.01 and 60 s, got {self.time_constant:g}.")
        if not 0 <= self.look_ahead <= 10:
            raise ConfigurationError(f"look_ahead must lie between 0 and 10 s, got {self.look_ahead:g}.")


@dataclass(frozen=True, kw_only=True)
class ChromaEstimate:
    """A colorizer's output for one frame."""

    ab: AbMap
    confidence: Map
    """(h, w) in (0, 1]."""


@dataclass(frozen=True, kw_only=True)
class _ShotFrame:
    """A frame that waits for later ones."""

    time: float
    evidence: Map | None
    """(h, w, 3): a* and b* times their weight, and the weight; None if the colorizer did not run."""
    motion: Motion | None
    """From the frame before; None for the first frame of the shot."""


class ShotStabilizer:
    """Stabilizes the colours of one shot, frame by frame. Not thread-safe."""

    def __init__(self, options: StabilizerOptions) -> None:
        self._options = options
        self._search = MotionSearch()
        self._gray: GrayImage | None = None
        self._size_wh: tuple[int, int] | None = None
        self._waiting: list[_ShotFrame] = []
        self._past: Map | None = None
        """All evidence up to the last released frame, carried to it."""
        self._past_time = 0.0

    def add(self, time: float, gray: GrayImage, estimate: ChromaEstimate | None) -> Iterator[AbMap]:
        """Take the next frame, (H, W) uint8, and yield the colours, (h, w, 2), of frames that need not wait any longer.

        The first frame must have an estimate. One output follows for every frame, in order; :meth:`end` yields the
        rest.
        """
        if estimate is not None and self._size_wh is None:
            self._size_wh = estimate.ab.shape[1], estimate.ab.shape[0]
        assert self._size_wh is not None, "the first frame of a shot needs an estimate"
        motion = None if self._gray is None else self._search.between(self._gray, gray, self._size_wh)
        self._gray = gray
        self._waiting.append(_ShotFrame(time=time, evidence=_evidence_of(estimate), motion=motion))
        # Released half a look-ahead at a time: one backward pass over the waiting frames serves them all.
        ahead = self._options.look_ahead
        if ahead == 0:
            yield from self._release(1)
        elif time - self._waiting[0].time >= 1.5 * ahead or len(self._waiting) > self._options.max_waiting:
            yield from self._release(max(1, sum(frame.time <= time - ahead for frame in self._waiting)))

    def end(self) -> Iterator[AbMap]:
        """Yield the colours of all frames that still wait."""
        yield from self._release(len(self._waiting))

    def _release(self, count: int) -> Iterator[AbMap]:
        future = self._evidence_after(self._waiting) if self._options.look_ahead else [None] * len(self._waiting)
        leaving, self._waiting = self._waiting[:count], self._waiting[count:]
        for frame, later in zip(leaving, future, strict=False):
            self._past = self._propagated_past(frame)
            self._past_time = frame.time
            yield color_of_evidence(self._past if later is None else self._past + later)

    def _propagated_past(self, frame: _ShotFrame) -> Map:
        """Earlier evidence carried to ``frame``, plus its own."""
        if self._past is None or frame.motion is None:
            assert frame.evidence is not None
            return frame.evidence
        decay = self._decay(frame.time - self._past_time)
        past = _propagated(self._past, frame.motion.to_earlier, frame.motion.confidence_to_earlier, decay)
        return past if frame.evidence is None else past + frame.evidence

    def _evidence_after(self, frames: Sequence[_ShotFrame]) -> list[Map | None]:
        """For each frame the evidence of those after it, carried to it."""
        after: list[Map | None] = [None] * len(frames)
        evidence: Map | None = None
        for index in range(len(frames) - 1, 0, -1):
            here = frames[index]
            if here.evidence is not None:
                evidence = here.evidence if evidence is None else evidence + here.evidence
            if evidence is not None and here.motion is not None:
                decay = self._decay(here.time - frames[index - 1].time)
                evidence = _propagated(evidence, here.motion.to_later, here.motion.confidence_to_later, decay)
                after[index - 1] = evidence
        return after

    def _decay(self, seconds: float) -> float:
        return exp(-seconds / self._options.time_constant)


def color_of_evidence(evidence: Map) -> AbMap:
    """ab (h, w, 2) from evidence (h, w, 3); points with little evidence take the colour around them."""
    side = 2 * max(1, min(evidence.shape[:2]) // FILL_RADIUS_DIVISOR) + 1
    around = np.asarray(cv2.blur(evidence, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)
    total = evidence + np.float32(FILL_WEIGHT) * around
    return np.asarray(total[..., :2] / np.maximum(total[..., 2:], np.float32(1e-9)), np.float32)


def _evidence_of(estimate: ChromaEstimate | None) -> Map | None:
    if estimate is None:
        return None
    weight = estimate.confidence[..., None]
    return np.concatenate([estimate.ab * weight, weight], axis=2)


def _propagated(evidence: Map, flow: Map, confidence: Map, decay: float) -> Map:
    """Evidence carried along ``flow`` and reduced by its confidence and by ``decay``.

    Some always stays: during a whip pan, a colour that may be wrong is better than gray.
    """
    moved = warp_by_flow(evidence, flow)
    least = np.float32(MIN_WEIGHT) / np.maximum(moved[..., 2:], np.float32(MIN_WEIGHT))
    return np.asarray(moved * np.maximum(confidence[..., None] * np.float32(decay), least), np.float32)
