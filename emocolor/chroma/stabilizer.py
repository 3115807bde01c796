"""Colour that stays with what it belongs to, from frame to frame.

A colorizer classifies each frame alone and changes its mind between them. Here each judgement is evidence: it
travels with the motion of the frame, forgets what motion cannot follow, and fades with time, as evidence
of emotions does (:mod:`emocolor.smoothing`). The colour of a frame is the weighted mean of what came before
and, where the caller can wait, of what comes after. Nothing crosses a cut, as its caller starts anew there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import Map
from ..errors import ConfigurationError
from .motion import Motion, MotionSearch, carried

FILL = 0.02
"""Weight of the surroundings' colour, so that what has no evidence of its own takes theirs."""
LEAST = 1e-3
"""Weight that evidence keeps, however little its way can be trusted and however old it is."""
FILL_SIDES = 8
"""Surroundings reach this part of the map's shorter side."""


@dataclass(frozen=True, kw_only=True)
class StabilizerOptions:
    """How colour is stabilized."""

    time_constant: float = 1.0
    """Seconds in which evidence fades to 1/e."""
    look_ahead: float = 0.8
    """Seconds of what follows that count too; 0 for what must not wait."""
    most_waiting: int = 1000
    """Frames that wait for what follows, at most; beyond it the oldest goes on with what is known."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.time_constant <= 60:
            raise ConfigurationError(f"time_constant must lie between 0.01 and 60 s, got {self.time_constant:g}.")
        if not 0 <= self.look_ahead <= 10:
            raise ConfigurationError(f"look_ahead must lie between 0 and 10 s, got {self.look_ahead:g}.")


@dataclass(frozen=True, kw_only=True)
class ChromaEstimate:
    """What a colorizer says of one frame."""

    ab: Map
    """(h, w, 2) in CIELAB units."""
    confidence: Map
    """(h, w), above 0 up to 1."""


@dataclass(frozen=True, kw_only=True)
class _Frame:
    time: float
    evidence: Map | None
    """(h, w, 3): a and b times their weight, and the weight; None where no colorizer looked."""
    motion: Motion | None
    """From the frame before; None for the first."""


class ShotStabilizer:
    """The colours of one shot, frame by frame. Not for two threads at once."""

    def __init__(self, options: StabilizerOptions) -> None:
        self._options = options
        self._search = MotionSearch()
        self._gray: NDArray[np.uint8] | None = None
        self._size_wh: tuple[int, int] | None = None
        self._waiting: list[_Frame] = []
        self._past: Map | None = None
        """Evidence up to the last frame that was given out, carried to it."""
        self._past_time = 0.0

    def add(self, time: float, gray: NDArray[np.uint8], estimate: ChromaEstimate | None) -> Iterator[Map]:
        """Take the next frame, (H, W) uint8, and give the colours, (h, w, 2), of those that need not wait longer.

        The first frame must have an estimate. Frames come out in order, one for each that was put in;
        :meth:`end` gives the rest.
        """
        if estimate is not None and self._size_wh is None:
            self._size_wh = estimate.ab.shape[1], estimate.ab.shape[0]
        assert self._size_wh is not None, "the first frame of a shot needs an estimate"
        motion = None if self._gray is None else self._search.between(self._gray, gray, self._size_wh)
        self._gray = gray
        self._waiting.append(_Frame(time=time, evidence=_evidence_of(estimate), motion=motion))
        # Given out half a look-ahead at a time, since what follows is gone through once for all of them.
        ahead = self._options.look_ahead
        if ahead == 0:
            yield from self._release(1)
        elif time - self._waiting[0].time >= 1.5 * ahead or len(self._waiting) > self._options.most_waiting:
            yield from self._release(max(1, sum(frame.time <= time - ahead for frame in self._waiting)))

    def end(self) -> Iterator[Map]:
        """The colours of all that still wait."""
        yield from self._release(len(self._waiting))

    def _release(self, count: int) -> Iterator[Map]:
        future = self._evidence_behind(self._waiting) if self._options.look_ahead else [None] * len(self._waiting)
        leaving, self._waiting = self._waiting[:count], self._waiting[count:]
        for frame, later in zip(leaving, future, strict=False):
            self._past = self._carried_on(frame)
            self._past_time = frame.time
            yield colour_of(self._past if later is None else self._past + later)

    def _carried_on(self, frame: _Frame) -> Map:
        """The past's evidence at ``frame``, its own included."""
        if self._past is None or frame.motion is None:
            assert frame.evidence is not None
            return frame.evidence
        fading = self._fading(frame.time - self._past_time)
        past = _carried(self._past, frame.motion.to_earlier, frame.motion.trust_earlier, fading)
        return past if frame.evidence is None else past + frame.evidence

    def _evidence_behind(self, frames: Sequence[_Frame]) -> list[Map | None]:
        """For each frame the evidence of those after it, carried to it."""
        found: list[Map | None] = [None] * len(frames)
        evidence: Map | None = None
        for index in range(len(frames) - 1, 0, -1):
            here = frames[index]
            if here.evidence is not None:
                evidence = here.evidence if evidence is None else evidence + here.evidence
            if evidence is not None and here.motion is not None:
                fading = self._fading(here.time - frames[index - 1].time)
                evidence = _carried(evidence, here.motion.to_later, here.motion.trust_later, fading)
                found[index - 1] = evidence
        return found

    def _fading(self, seconds: float) -> float:
        return exp(-seconds / self._options.time_constant)


def colour_of(evidence: Map) -> Map:
    """ab (h, w, 2) of evidence (h, w, 3); what has little takes the colour of its surroundings."""
    side = 2 * max(1, min(evidence.shape[:2]) // FILL_SIDES) + 1
    around = np.asarray(cv2.blur(evidence, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)
    total = evidence + np.float32(FILL) * around
    return np.asarray(total[..., :2] / np.maximum(total[..., 2:], np.float32(1e-9)), np.float32)


def _evidence_of(estimate: ChromaEstimate | None) -> Map | None:
    if estimate is None:
        return None
    weight = estimate.confidence[..., None]
    return np.concatenate([estimate.ab * weight, weight], axis=2)


def _carried(evidence: Map, flow: Map, trust: Map, fading: float) -> Map:
    """Evidence taken along, less of it where motion is not trusted, but never none: in a whip of the camera a colour
    that may be wrong is better than gray."""
    moved = carried(evidence, flow)
    least = np.float32(LEAST) / np.maximum(moved[..., 2:], np.float32(LEAST))
    return np.asarray(moved * np.maximum(trust[..., None] * np.float32(fading), least), np.float32)
