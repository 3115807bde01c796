"""Plans a film: one pass over its frames finds their times and the cuts, and divides it into pieces.

Pieces start at cuts, where every stage starts anew, so a piece needs nothing of the one before. A shot that is longer
than pieces may be is divided at a *joint*: there a piece also processes, and drops, what comes before and after it, for
as long as the stages remember.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from ..settings import JobSettings
from .frame_times import PtsList
from .manifest import Piece, Start
from .memory import is_exact

MIN_SECONDS: Final = 20
"""A piece ends at the first cut after so long: little is lost with it, and its start costs little beside it."""
MAX_SECONDS: Final = 60
"""A piece without a cut ends after so long."""
MAX_INEXACT_SECONDS: Final = 600
"""The same where a joint within a shot shows in some samples: better rarely than to lose hours of work."""


@dataclass(frozen=True, kw_only=True)
class PieceLengths:
    """How long pieces are, in seconds."""

    least: Fraction = Fraction(MIN_SECONDS)
    most: Fraction = Fraction(MAX_SECONDS)

    def __post_init__(self) -> None:
        if not 0 <= self.least <= self.most:
            raise ValueError(f"pieces cannot last {self.least} to {self.most} s")


def lengths_for(settings: JobSettings) -> PieceLengths:
    """How long pieces of a job are."""
    return PieceLengths(most=Fraction(MAX_SECONDS if is_exact(settings) else MAX_INEXACT_SECONDS))


def divide(frames: Iterable[tuple[int, bool]], unit: Fraction, lengths: PieceLengths | None = None) -> Iterator[Piece]:
    """The pieces of a film, in order.

    ``frames`` are its frames in order: times in units of ``unit``, each with whether a shot starts there.
    """
    lengths = lengths or PieceLengths()
    index, times, cuts = 0, PtsList(), list[int]()
    start: Start = "film"
    for pts, cut in frames:
        if len(times):
            lasted = (pts - times.first) * unit
            ends = lasted >= lengths.least if cut else lasted >= lengths.most
            if ends:
                yield Piece(index=index, start=start, times=times, cuts=tuple(cuts))
                index, start, times, cuts = index + 1, "cut" if cut else "joint", PtsList(), []
        times.append(pts)
        if cut:
            cuts.append(pts)
    if len(times):
        yield Piece(index=index, start=start, times=times, cuts=tuple(cuts))
