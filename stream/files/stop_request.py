"""How a job is asked to stop, in two steps, by any thread; it also ends waits for pipes, which may last for ever."""

import errno
import os
import select
import weakref
from typing import Final

STALL_LIMIT_S: Final = 5.0
"""How long a pipe may accept nothing while a job finishes."""


class Cancelled(Exception):
    """The work was cancelled."""


class StopRequest:
    """Asks a job to finish (``stop``), or to drop everything (``cancel``). Both may be called more than once."""

    def __init__(self, stall_limit_s: float = STALL_LIMIT_S) -> None:
        self.stall_limit_s = stall_limit_s
        self._stopping, self._cancelling = _Wakeup(), _Wakeup()

    @property
    def is_stopping(self) -> bool:
        """Whether the job is to finish or to be dropped."""
        return self._stopping.is_set

    @property
    def is_cancelled(self) -> bool:
        return self._cancelling.is_set

    def stop(self) -> None:
        """End inputs here; what accepts nothing from now on is given up after the stall limit."""
        self._stopping.set()

    def cancel(self) -> None:
        """End all waits immediately."""
        self._cancelling.set()
        self._stopping.set()

    def wait_readable(self, descriptor: int) -> bool:
        """Wait until reading would not block; whether it is worthwhile, which it is not once a stop was asked for."""
        _poll({descriptor: select.POLLIN, self._stopping.descriptor: select.POLLIN})
        return not self.is_stopping

    def wait_writable(self, descriptor: int, limit_s: float | None = None) -> None:
        """Wait until writing would not block.

        Raises ``Cancelled``, and ``TimeoutError`` after ``limit_s``, or where a job that finishes has waited for the
        stall limit.
        """
        events = {descriptor: select.POLLOUT, self._cancelling.descriptor: select.POLLIN}
        ready: set[int] = set()
        if not self.is_stopping:
            woken = _poll({**events, self._stopping.descriptor: select.POLLIN}, limit_s)
            if not woken and limit_s is not None:
                raise TimeoutError(errno.ETIMEDOUT, f"it accepted nothing for {limit_s:g} s")
            ready = woken & events.keys()
        if not ready:
            ready = _poll(events, self.stall_limit_s)
        if self.is_cancelled:
            raise Cancelled
        if not ready:
            raise TimeoutError(errno.ETIMEDOUT, f"its reader accepted nothing for {self.stall_limit_s:g} s")

    def pause(self, seconds: float) -> None:
        """Wait for so long, or until a stop is asked for. Raises ``Cancelled``."""
        _poll({self._stopping.descriptor: select.POLLIN}, seconds)
        if self.is_cancelled:
            raise Cancelled


class _Wakeup:
    """A flag that threads can wait for together with pipes."""

    def __init__(self) -> None:
        self.is_set = False
        self.descriptor, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        weakref.finalize(self, _close, self.descriptor, self._writing)

    def set(self) -> None:
        if not self.is_set:
            self.is_set = True
            os.write(self._writing, b"\0")


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _poll(events: dict[int, int], timeout_s: float | None = None) -> set[int]:
    """The descriptors on which one of their events, or the end of the other side, has come."""
    poll = select.poll()
    for descriptor, wanted in events.items():
        poll.register(descriptor, wanted)
    return {descriptor for descriptor, _ in poll.poll(None if timeout_s is None else timeout_s * 1000)}
