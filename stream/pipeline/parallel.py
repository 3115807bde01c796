"""One function over many items in parallel threads, with the results in the items' order."""

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
    """CPU time that the workers of ``ordered_parallel_map`` have used for the calling thread so far."""
    return getattr(_own, "seconds", 0.0)


def ordered_parallel_map(items: Iterable[T], make_work: Callable[[], Callable[[T], R]], width: int) -> Iterator[R]:
    """The results of ``width`` workers, in the order of ``items``.

    ``make_work`` is called once for each worker, in parallel; a worker's function runs in one thread at a time. With a
    width of 1 everything runs in the caller's thread. At most ``width + 1`` items are held. The first error, of an item
    or of ``make_work``, ends the iteration.
    """
    if width == 1:
        yield from map(make_work(), items)
        return
    idle: SimpleQueue[Callable[[T], R]] = SimpleQueue()

    def worked(item: T) -> tuple[R, float]:
        started = time.thread_time()
        work = idle.get()  # never waits: there are as many functions as threads
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
                if len(waiting) > width:  # one item more than workers, so that none is idle while the oldest is taken
                    yield _noted(waiting.popleft())
            while waiting:
                yield _noted(waiting.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _noted(done: Future[tuple[R, float]]) -> R:
    result, seconds = done.result()
    _own.seconds = worker_cpu_seconds() + seconds
    return result
