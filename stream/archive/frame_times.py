"""The times of all frames of a film, as runs of equal steps: a constant rate takes a few bytes, however long."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Self

Run = tuple[int, int]
"""A step, and how often it follows."""


class PtsList:
    """Presentation times that rise from frame to frame, in units of one time base."""

    def __init__(self, times: Iterable[int] = ()) -> None:
        self._first: int | None = None
        self._last = 0
        self._runs: list[Run] = []
        self._count = 0
        for pts in times:
            self.append(pts)

    def append(self, pts: int) -> None:
        """Add the next frame's time. Raises ``ValueError`` unless it is later than the one before."""
        if self._first is None:
            self._first = self._last = pts
            self._count = 1
            return
        step = pts - self._last
        if step <= 0:
            raise ValueError(f"a frame at {pts} follows one at {self._last}")
        if self._runs and self._runs[-1][0] == step:
            self._runs[-1] = (step, self._runs[-1][1] + 1)
        else:
            self._runs.append((step, 1))
        self._last = pts
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        if self._first is None:
            return
        pts = self._first
        yield pts
        for step, count in self._runs:
            for _ in range(count):
                pts += step
                yield pts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PtsList) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    @property
    def first(self) -> int:
        """Raises ``IndexError`` where there is none, as ``last`` does."""
        if self._first is None:
            raise IndexError("no frames")
        return self._first

    @property
    def last(self) -> int:
        if self._first is None:
            raise IndexError("no frames")
        return self._last

    def to_json(self) -> list[int | list[int]]:
        """The first time, then ``[step, count]`` for each run; empty without frames."""
        return [] if self._first is None else [self._first, *([step, count] for step, count in self._runs)]

    @classmethod
    def from_json(cls, stored: Sequence[int | Sequence[int]]) -> Self:
        """Raises ``ValueError`` for anything that ``to_json`` cannot have written."""
        times = cls()
        if not stored:
            return times
        first, *runs = stored
        if not isinstance(first, int):
            raise ValueError("the first time is no number")
        times.append(first)
        for run in runs:
            if isinstance(run, int) or len(run) != 2 or min(run) < 1:
                raise ValueError(f"{run} is no run of equal steps")
            times._runs.append((run[0], run[1]))
            times._last += run[0] * run[1]
            times._count += run[1]
        return times
