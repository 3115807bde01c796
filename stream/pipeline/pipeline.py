"""Stages in threads, joined by channels, under one owner."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .channel import Cancelled, Channel
from .parallel import worker_cpu_seconds

CAPACITY = 3
"""Items between two stages: enough to even out their speeds, few enough to hold little memory."""


@dataclass(frozen=True)
class Stage:
    """One step of the work: takes items in order, gives items in order, in a thread of its own."""

    name: str
    run: Callable[[Iterator[Any]], Iterable[Any]]
    """Usually a generator function. It ends when its input ends; if the work is called off, its
    input raises ``Cancelled`` or it is closed at a ``yield``, so clean-up belongs in ``finally``."""


class Pipeline:
    """Runs stages one after the other on the items of a source, each in its own thread::

        with Pipeline(source, stages) as items:
            for item in items:
                ...

    On an event loop, ``async with`` and ``async for`` do the same without blocking it.

    Items come in the source's order, none lost; what they are never depends on timing. Leaving the
    block early calls the work off. Leaving it waits until every thread has ended and then raises
    the first error of any stage.
    """

    def __init__(self, source: Callable[[], Iterable[Any]], stages: Sequence[Stage], capacity: int = CAPACITY) -> None:
        self._channels: list[Channel[Any]] = [Channel(capacity) for _ in range(len(stages) + 1)]
        self._threads = [threading.Thread(target=self._work, args=(source, None, self._channels[0]), name="decode")]
        for stage, before, after in zip(stages, self._channels, self._channels[1:], strict=False):
            self._threads.append(threading.Thread(target=self._work, args=(stage.run, before, after), name=stage.name))
        self.cpu_seconds: dict[str, float] = {}
        """What each stage has used of the CPU, entered as it ends: its thread and those that work side by side
        for it. Codecs and nets with threads of their own are not in it."""
        self._lock = threading.Lock()
        self._error: BaseException | None = None
        self._finished = False

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._channels[-1]
            self._finished = True
        except Cancelled:
            pass
        if self._error is not None:
            raise self._error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self.cancel()
        for thread in self._threads:
            thread.join()
        if self._error is not None and error is None:
            raise self._error

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
            self.cancel()  # at once: the threads that are joined below may wait for a reader
        await asyncio.shield(asyncio.to_thread(self.__exit__, kind, error, trace))

    def cancel(self) -> None:
        """Call all work off; may be called from any thread, more than once."""
        for channel in self._channels:
            channel.cancel()

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
        except BaseException as error:  # carried to the owner, who raises it
            with self._lock:
                self._error = self._error or error
            self.cancel()
        else:
            after.close()
        finally:
            self.cpu_seconds[threading.current_thread().name] = time.thread_time() + worker_cpu_seconds()
