"""The same work on several items at once, in threads, with the results in the items' order."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_own = threading.local()


def worker_cpu_seconds() -> float:
    """What threads that work side by side have used of the CPU for the calling thread, up to now."""
    return getattr(_own, "seconds", 0.0)


def ordered_parallel_map(items: Iterable[T], make_work: Callable[[], Callable[[T], R]], width: int) -> Iterator[R]:
    """What work makes of each item, in order, ``width`` of them at a time.

    So many works are made, at once, each for one thread at a time; with a width of 1 everything is done in the
    caller's thread. No more than ``width + 1`` items are held. The first error ends it, be it an item's or in making a
    work.
    """
    if width == 1:
        yield from map(make_work(), items)
        return
    idle: SimpleQueue[Callable[[T], R]] = SimpleQueue()

    def worked(item: T) -> tuple[R, float]:
        started = time.thread_time()
        work = idle.get()  # there are as many as threads, so one is idle
        try:
            return work(item), time.thread_time() - started
        finally:
            idle.put(work)

    with ThreadPoolExecutor(width) as pool:
        waiting: deque[Future[tuple[R, float]]] = deque()
        try:
            for work in pool.map(lambda _: make_work(), range(width)):
                idle.put(work)
            for item in items:
                waiting.append(pool.submit(worked, item))
                if len(waiting) > width:  # one more than are worked on, so that no thread waits for the oldest
                    yield _noted(waiting.popleft())
            while waiting:
                yield _noted(waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _noted(done: Future[tuple[R, float]]) -> R:
    result, seconds = done.result()
    _own.seconds = worker_cpu_seconds() + seconds
    return result
