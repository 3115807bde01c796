"""Evidence over time: what the emotion is now, from what was seen before, and after where that is known.

Each observed span of media time adds evidence, its probabilities times the confidence they are
held with; evidence fades as ``exp(-age / tau)``. The state is a count vector like a Dirichlet's:
its direction is the smoothed probability, its amount says how sure that is. Time in which the
face was not seen counts as evidence for neutral, so a vanished face fades instead of freezing.

With look-ahead (files) evidence also comes from what follows, fading the same way, so that the
result does not lag behind the frame.

Everything is an integral over spans in seconds: how a span is divided into frames cannot change
the result. A causal change of emotion has risen half-way after ``tau ln 2`` seconds.
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

DOUBT = 0.25
"""Evidence at which certainty is one half; a face seen for long and classified surely has 1 on each side of now."""
FORGOTTEN = 8.0
"""Spans older than this many time constants are dropped: what is left of them is below 4e-4."""


@dataclass(frozen=True, kw_only=True)
class SmoothingOptions(Options):
    """How evidence is weighed over time."""

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
    """What was seen from ``start`` to ``end``, in seconds of media time."""

    start: float
    end: float
    probabilities: Vector | None
    """(7,), or ``None`` where the face was not seen."""
    confidence: float = 1.0
    """In (0, 1]; how much the span counts as evidence."""


@dataclass(frozen=True)
class Evidence:
    """Faded counts at one time."""

    counts: Vector
    """(7,) evidence for each emotion, 0 or more; at most 1 in all for each direction of time."""
    unseen: float
    """Evidence from time in which the face was not seen."""

    @property
    def probabilities(self) -> Vector:
        """The smoothed probabilities (7,); neutral where there is no evidence at all."""
        total: Vector = self.counts.copy()
        total[NEUTRAL] += self.unseen
        amount = float(total.sum())
        if amount <= 0:
            return neutral_probabilities()
        return np.asarray(total / amount)

    @property
    def certainty(self) -> float:
        """Evidence seen over all evidence and ``DOUBT``, in [0, 1)."""
        seen = float(self.counts.sum())
        return seen / (seen + self.unseen + DOUBT)


@dataclass(frozen=True)
class History:
    """Spans as arrays, to be asked at many times."""

    starts: Vector
    """(N,) seconds, like ``ends``."""
    ends: Vector
    values: Vector
    """(N, 7) probabilities times confidence; zeros where nothing was seen."""
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
    """Evidence of ``history`` at ``time``, the parts before and after it fading alike.

    What lies after ``until`` does not count; with ``until = time`` the filter is causal. A span's
    evidence is the integral of ``exp(-|s - time| / tau) / tau`` over it, in closed form.
    """
    starts, ends = np.minimum(history.starts, until), np.minimum(history.ends, until)
    weights = _kernel_mass(ends - time, time_constant) - _kernel_mass(starts - time, time_constant)
    return Evidence(weights @ history.values, float(weights[~history.seen].sum()))


def _kernel_mass(offset: Vector, time_constant: float) -> Vector:
    """Integral of the kernel from the present to ``offset`` seconds away, negative for the past."""
    return np.asarray(np.sign(offset) * -np.expm1(-np.abs(offset) / time_constant))
