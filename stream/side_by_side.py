"""The same work on several items at once, in threads, with the results in the items' order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def side_by_side(items: Iterable[T], make_work: Callable[[], Callable[[T], R]], width: int) -> Iterator[R]:
    """What work makes of each item, in order, ``width`` of them at a time.

    So many works are made, at once, each for one thread at a time; with a width of 1 everything is done in the
    caller's thread. No more than ``width + 1`` items are held. The first error ends it, be it an item's or in making a
    work.
    """
    if width == 1:
        yield from map(make_work(), items)
        return
    idle: SimpleQueue[Callable[[T], R]] = SimpleQueue()

    def worked(item: T) -> R:
        work = idle.get()  # there are as many as threads, so one is idle
        try:
            return work(item)
        finally:
            idle.put(work)

    with ThreadPoolExecutor(width) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for work in pool.map(lambda _: make_work(), range(width)):
                idle.put(work)
            for item in items:
                waiting.append(pool.submit(worked, item))
                if len(waiting) > width:  # one more than are worked on, so that no thread waits for the oldest
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
