"""Subtitle cues one after the other, for containers in which a cue lasts until the next one begins."""

from dataclasses import dataclass
from typing import Final

JOINT: Final = r"{\r}\N"
"""Between the lines of two cues in ASS: back to the style of the first, and a new line."""


@dataclass(frozen=True)
class Cue:
    """A text from ``start`` to ``end``, in any one unit."""

    start: int
    end: int
    text: str
    """With ASS override codes."""


class ConsecutiveCues:
    """Cuts cues that overlap into parts that do not; what is shown together becomes one text, the earlier cue first."""

    def __init__(self) -> None:
        self._shown: list[Cue] = []
        self._time: int | None = None
        """What lies before it has been returned."""

    def add(self, cue: Cue) -> list[Cue]:
        """Take the next cue in order of their starts; the parts that end before it begins."""
        parts = self._parts_until(cue.start)
        start = cue.start if self._time is None else max(cue.start, self._time)
        self._time = start
        if cue.end > start:
            self._shown.append(cue)
        return parts

    def flush(self) -> list[Cue]:
        """The parts that are left, at the end."""
        return self._parts_until(None)

    def _parts_until(self, limit: int | None) -> list[Cue]:
        parts = []
        while self._shown and (limit is None or self._time is None or self._time < limit):
            assert self._time is not None
            end = min(cue.end for cue in self._shown)
            end = end if limit is None else min(end, limit)
            parts.append(Cue(self._time, end, JOINT.join(cue.text for cue in self._shown)))
            self._shown = [cue for cue in self._shown if cue.end > end]
            self._time = end
        return parts
