"""Threads under an owner: started, asked to stop, joined, their first error kept."""

import logging
import threading
from collections.abc import Callable, Sequence

from emocolor.errors import EmocolorError

from .clock import SYSTEM_CLOCK, Clock
from .handoff import Closed

log = logging.getLogger(__name__)


def _nothing() -> None:
    pass


class Worker:
    """Runs one function in a named thread, from ``start`` until it returns or raises.

    The function ends by itself soon after ``stop``, which closes what it waits on; ``Closed`` is a normal end. Any
    other exception becomes ``error`` and is passed to ``failed``, once and in the thread. One that is not an
    ``EmocolorError`` is a bug of ours: it is logged with its traceback and ends this worker, not the program.

    The thread is a daemon: one that hangs in a library beyond the time that ``join`` allows it is left behind, and
    does not keep the process alive.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], None],
        *,
        stop: Callable[[], None] = _nothing,
        failed: Callable[[EmocolorError], None] = lambda error: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``stop`` makes ``run`` return soon; it may be called from any thread, more than once."""
        self.name = name
        self.error: EmocolorError | None = None
        self._run, self._stop, self._failed, self._clock = run, stop, failed, clock
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread.ident is not None and not self._ended

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; never waits."""
        self._stop()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended: whether it has. A worker that was never started has.

        Inside the worker itself this does not wait.
        """
        if not self.running or self._thread is threading.current_thread():
            return not self.running
        with self._changed:
            if not self._clock.wait_for(self._changed, lambda: self._ended, timeout_s):
                return False
        self._thread.join()
        return True

    def close(self, timeout_s: float | None = None) -> bool:
        """Ask it to end, and wait: whether it has ended in time."""
        self.stop()
        return self.join(timeout_s)

    def _work(self) -> None:
        try:
            self._run()
        except Closed:
            pass
        except EmocolorError as error:
            self.error = error
        except Exception as error:
            log.exception("the thread '%s' failed", self.name)
            self.error = EmocolorError(f"Internal error: {error!r}.")
        try:
            if self.error is not None:
                self._failed(self.error)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()


class WorkerGroup:
    """Workers that live and end together: the first error stops them all."""

    def __init__(self, failed: Callable[[EmocolorError], None] | None = None) -> None:
        """``failed`` gets the first error, once and in the worker's thread; without it, ``close`` raises that error."""
        self.error: EmocolorError | None = None
        self._failed = failed
        self._workers: list[Worker] = []
        self._lock = threading.Lock()

    def add(
        self, name: str, run: Callable[[], None], *, stop: Callable[[], None] = _nothing, clock: Clock = SYSTEM_CLOCK
    ) -> Worker:
        """One more worker, as ``Worker`` takes it."""
        worker = Worker(name, run, stop=stop, failed=self._note, clock=clock)
        self._workers.append(worker)
        return worker

    @property
    def workers(self) -> Sequence[Worker]:
        return self._workers

    def start(self) -> None:
        """Start them in the order in which they were added."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Ask all to end, the last one first; never waits."""
        for worker in reversed(self._workers):
            worker.stop()

    def close(self) -> None:
        """Stop all and wait until every one has ended; may be called again.

        Raises the first error of any of them, unless ``failed`` got it.
        """
        self.stop()
        for worker in reversed(self._workers):
            worker.join()
        if self.error is not None and self._failed is None:
            raise self.error

    def _note(self, error: EmocolorError) -> None:
        with self._lock:
            first, self.error = self.error is None, self.error or error
        self.stop()
        if first and self._failed is not None:
            self._failed(error)
