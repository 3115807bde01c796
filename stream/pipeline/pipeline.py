"""Stages in threads, joined by channels, under one owner."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn, Self

from .channel import Cancelled, Channel
from .parallel import worker_cpu_seconds

CAPACITY = 3
"""Items that wait between two stages: enough to even out their speeds, few enough to need little memory."""


@dataclass(frozen=True)
class Stage:
    """One step of the work, in a thread of its own: takes items in order and gives items in order."""

    name: str
    run: Callable[[Iterator[Any]], Iterable[Any]]
    """Usually a generator function. It ends when its input ends. If the work is cancelled, its input raises
    ``Cancelled`` or it is closed at a ``yield``, so clean-up belongs in ``finally``."""


class Pipeline:
    """Runs stages one after the other on the items of a source, each in its own thread::

        with Pipeline(source, stages) as items:
            for item in items:
                ...

    On an event loop, ``async with`` and ``async for`` do the same without blocking it.

    Items come in the source's order and none is lost; their content never depends on timing. Leaving the block early
    cancels the work, and leaving it waits until every thread has ended. The first error of any stage is raised once all
    have stopped: where items are taken, or at the end of the block, unless the block raised an error itself.
    """

    def __init__(
        self,
        source: Callable[[], Iterable[Any]],
        stages: Sequence[Stage],
        capacity: int = CAPACITY,
        *,
        on_cancel: Callable[[], None] = lambda: None,
    ) -> None:
        """``on_cancel`` ends what threads wait for beside their channels; it is called where the work is cancelled."""
        self._on_cancel = on_cancel
        self._channels: list[Channel[Any]] = [Channel(capacity) for _ in range(len(stages) + 1)]
        self._threads = [threading.Thread(target=self._work, args=(source, None, self._channels[0]), name="decode")]
        for stage, before, after in zip(stages, self._channels, self._channels[1:], strict=False):
            self._threads.append(threading.Thread(target=self._work, args=(stage.run, before, after), name=stage.name))
        self.cpu_seconds: dict[str, float] = {}
        """CPU time of each stage, entered when it ends: of its thread, and of the workers that it maps over. Threads
        that codecs and nets start are not included."""
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._finished = False

    def __enter__(self) -> Self:
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:  # the system gives no more threads: stop those that run
            self.cancel()
            self._join()
            raise
        return self

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._channels[-1]
            self._finished = True
        except Cancelled:
            pass
        if self._error is not None:
            self._join()
            self._raise_error()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self.cancel()
        self._join()
        if self._error is not None and error is None:
            self._raise_error()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aiter__(self) -> AsyncIterator[Any]:
        items, end = iter(self), object()
        while (item := await asyncio.to_thread(next, items, end)) is not end:
            yield item

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            # Here already: the thread that joins may get its turn late, while a stage waits for a reader.
            self.cancel()
        await asyncio.shield(asyncio.to_thread(self.__exit__, kind, error, trace))

    def cancel(self) -> None:
        """Cancel all work; may be called from any thread, more than once."""
        self._on_cancel()
        for channel in self._channels:
            channel.cancel()

    def _raise_error(self) -> NoReturn:
        """Raise the first error, once: a block that has handled it may end well."""
        assert self._error is not None
        error, self._error = self._error, None
        raise error

    def _join(self) -> None:
        for thread in self._threads:
            if thread.ident is not None:  # started
                thread.join()

    def _work(self, run: Callable[..., Iterable[Any]], before: Channel[Any] | None, after: Channel[Any]) -> None:
        try:
            produced = iter(run() if before is None else run(iter(before)))
            try:
                for item in produced:
                    after.put(item)
            finally:
                close = getattr(produced, "close", None)
                if close is not None:
                    close()
        except Cancelled:
            pass
        except BaseException as error:  # raised by the owner
            with self._lock:
                self._error = self._error or error
            self.cancel()
        else:
            after.close()
        finally:
            self.cpu_seconds[threading.current_thread().name] = time.thread_time() + worker_cpu_seconds()
