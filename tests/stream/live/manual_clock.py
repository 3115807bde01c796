"""Clocks that tests move."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False)
class _Sleeper:
    """Someone who waits for a time on a manual clock."""

    until: float
    wake: Callable[[], object]


class ManualClock:
    """A ``stream.live.clock.Clock`` that moves by ``advance`` alone, so that tests need not sleep.

    Waits without a timeout are not the clock's: only what they wait for ends them.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._sleepers: list[_Sleeper] = []
        self._changed = threading.Condition()

    def now(self) -> float:
        with self._changed:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move time on, and wake those whose time has come."""
        with self._changed:
            self._now += seconds
            due = [sleeper for sleeper in self._sleepers if sleeper.until <= self._now]
        for sleeper in due:  # outside the lock: a waiter holds its condition while it registers here
            sleeper.wake()

    def wait_for_sleepers(self, count: int = 1, *, within_s: float = 60.0) -> None:
        """Block until ``count`` waits with a timeout are under way that are not over yet.

        Raises ``TimeoutError`` after ``within_s`` seconds of real time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._sleeping() >= count, within_s):
                raise TimeoutError(f"{self._sleeping()} of {count} wait on the clock")

    def _sleeping(self) -> int:
        return sum(sleeper.until > self._now for sleeper in self._sleepers)

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        if timeout_s is None:
            return condition.wait_for(predicate)
        if predicate():
            return True

        def wake() -> None:
            with condition:
                condition.notify_all()

        sleeper = self._register(timeout_s, wake)
        try:
            condition.wait_for(lambda: predicate() or self.now() >= sleeper.until)
        finally:
            self._forget(sleeper)
        return predicate()

    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        sleeper = self._register(seconds, lambda: loop.call_soon_threadsafe(over.set))
        try:
            if self.now() < sleeper.until:
                await over.wait()
        finally:
            self._forget(sleeper)

    def _register(self, seconds: float, wake: Callable[[], object]) -> _Sleeper:
        with self._changed:
            sleeper = _Sleeper(self._now + seconds, wake)
            self._sleepers.append(sleeper)
            self._changed.notify_all()
            return sleeper

    def _forget(self, sleeper: _Sleeper) -> None:
        with self._changed:
            self._sleepers.remove(sleeper)


class JumpingClock(ManualClock):
    """A wait with a timeout takes no time: it moves the clock to its end. For what runs in one thread."""

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        if timeout_s is None:
            return condition.wait_for(predicate)
        if not predicate():
            self.advance(timeout_s)
        return predicate()
