"""Monotonic time, passed in to whoever measures or waits, so that tests can advance it by hand."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol


class Clock(Protocol):
    """Tells monotonic time, and waits by it."""

    def now(self) -> float:
        """Seconds since some fixed moment; only differences mean anything."""
        ...

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        """As ``Condition.wait_for``, with the timeout on this clock: whether ``predicate`` holds.

        The caller has acquired ``condition``; whoever makes ``predicate`` true notifies it.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """As ``asyncio.sleep``, on this clock."""
        ...


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def wait_for(
        self, condition: threading.Condition, predicate: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        return condition.wait_for(predicate, timeout_s)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


SYSTEM_CLOCK: Final = SystemClock()


class StopSignal:
    """Tells threads to stop; wakes those that pause on it."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._set = False

    def set(self) -> None:
        """Wake everyone; there is no way back."""
        with self._changed:
            self._set = True
            self._changed.notify_all()

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float | None = None) -> bool:
        """Pause until the signal is set or the time is over: whether it is set."""
        with self._changed:
            return self._clock.wait_for(self._changed, self.is_set, seconds)
