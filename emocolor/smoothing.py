"""Temporal smoothing of emotions, as evidence that accumulates and decays in media time.

Each observed span adds evidence: its probabilities times their confidence. Evidence decays as ``exp(-age / tau)``. The
state is a vector of counts, like a Dirichlet distribution's: its direction is the smoothed probability, and its amount
gives the certainty. Time in which the face was not seen counts as evidence for neutral, so a lost face fades instead of
freezing.

With look-ahead (files only) later evidence counts too and decays the same way, so that the result does not lag behind
the frame.

Everything is an integral over spans in seconds, so the division of a span into frames cannot change the result. Without
look-ahead, a change of emotion has risen half-way after ``tau ln 2`` seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from .arrays import Vector
from .emotions import EMOTIONS, NEUTRAL
from .faces import neutral_probabilities
from .options import Options, Spelling, option

HALF_CERTAINTY_EVIDENCE = 0.25
"""Evidence at which certainty is one half. A face that was long seen and confidently classified has 1 on each side."""
MEMORY_TIME_CONSTANTS = 8.0
"""Spans older than this many time constants are dropped; less than 4e-4 of their evidence is left."""


@dataclass(frozen=True, kw_only=True)
class SmoothingOptions(Options):
    """How evidence counts over time."""

    section: ClassVar[str] = "smoothing"

    time_constant: Annotated[
        float, option("Time in which evidence fades to 1/e.", gt=0, le=3600, unit="s", cli=Spelling(flag="smooth"))
    ] = 0.5
    look_ahead: Annotated[float, option("How much of what follows counts too; files only.", ge=0, le=60, unit="s")] = (
        1.0
    )
    """0 for a causal filter."""


@dataclass(frozen=True)
class Span:
    """The classifier's output for the time from ``start`` to ``end``, in seconds of media time."""

    start: float
    end: float
    probabilities: Vector | None
    """(7,), or ``None`` if the face was not seen."""
    confidence: float = 1.0
    """How much the span counts as evidence, in (0, 1]."""


@dataclass(frozen=True)
class Evidence:
    """Decayed evidence at one time."""

    counts: Vector
    """(7,) evidence for each emotion, at least 0; the sum is at most 1 per direction of time."""
    unseen: float
    """Evidence from the time in which the face was not seen."""

    @property
    def probabilities(self) -> Vector:
        """The smoothed probabilities (7,); neutral if there is no evidence at all."""
        total: Vector = self.counts.copy()
        total[NEUTRAL] += self.unseen
        amount = float(total.sum())
        if amount <= 0:
            return neutral_probabilities()
        return np.asarray(total / amount)

    @property
    def certainty(self) -> float:
        """Seen evidence divided by all evidence plus ``HALF_CERTAINTY_EVIDENCE``, in [0, 1)."""
        seen = float(self.counts.sum())
        return seen / (seen + self.unseen + HALF_CERTAINTY_EVIDENCE)


@dataclass(frozen=True)
class History:
    """Spans as arrays, for evaluation at many times."""

    starts: Vector
    """(N,) seconds, like ``ends``."""
    ends: Vector
    values: Vector
    """(N, 7) probabilities times confidence; zeros where the face was not seen."""
    seen: NDArray[np.bool_]
    """(N,) whether the face was seen."""

    @classmethod
    def of(cls, spans: Sequence[Span]) -> "History":
        nothing = np.zeros(len(EMOTIONS))
        values = [nothing if s.probabilities is None else s.confidence * s.probabilities for s in spans]
        return cls(
            starts=np.array([span.start for span in spans], np.float64),
            ends=np.array([span.end for span in spans], np.float64),
            values=np.array(values, np.float64).reshape(len(spans), len(EMOTIONS)),
            seen=np.array([span.probabilities is not None for span in spans], np.bool_),
        )


def evidence_at(time: float, history: History, time_constant: float, until: float = math.inf) -> Evidence:
    """The evidence of ``history`` at ``time``, decaying alike in both directions of time.

    What lies after ``until`` does not count; ``until = time`` makes the filter causal. The weight of a span is the
    integral over it of ``exp(-|s - time| / tau) / tau``, in closed form.
    """
    starts, ends = np.minimum(history.starts, until), np.minimum(history.ends, until)
    weights = _kernel_mass(ends - time, time_constant) - _kernel_mass(starts - time, time_constant)
    return Evidence(weights @ history.values, float(weights[~history.seen].sum()))


def _kernel_mass(offset: Vector, time_constant: float) -> Vector:
    """Integral of the kernel from 0 to ``offset`` seconds, negative for the past."""
    return np.asarray(np.sign(offset) * -np.expm1(-np.abs(offset) / time_constant))
