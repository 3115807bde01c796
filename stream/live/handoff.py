"""A bounded handoff between threads, and from threads to the event loop."""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, Generic, Literal, TypeVar

from .clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")
Overflow = Literal["drop oldest", "wait"]
ONLY_KIND: Final = "item"
"""The kind of all items where no kinds are named."""


class Closed(Exception):
    """Nothing will come any more."""


class Handoff(Generic[T]):
    """Holds a few items of each kind on their way from any number of writers to one reader, in order.

    Where there is no room for one more of a kind, the oldest of that kind is dropped and counted, so that writers never
    wait; with the default capacity of one the reader always gets the newest item. With ``overflow="wait"`` nothing is
    dropped and the writer waits for room instead.

    The reader is a thread (``take``, ``take_batch``, iteration) or a coroutine (``take_async``).
    """

    def __init__(
        self,
        capacity: int | Mapping[str, int] = 1,
        *,
        overflow: Overflow = "drop oldest",
        on_drop: Callable[[T], None] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``capacity`` is the maximum number of items by kind, or one number where there is only one kind.

        ``on_drop`` gets each dropped item, in the writer's thread.
        """
        self._capacity = {ONLY_KIND: capacity} if isinstance(capacity, int) else dict(capacity)
        if not self._capacity or min(self._capacity.values()) < 1:
            raise ValueError(f"every kind needs room for at least one item, got {capacity}")
        self._waits = overflow == "wait"
        self._on_drop = on_drop
        self._clock = clock
        self._items: deque[tuple[str, T]] = deque()
        self._counts = Counter[str]()
        self._dropped = Counter[str]()
        self._changed = threading.Condition()
        self._closed = False
        self._wake_coroutine: Callable[[], object] | None = None
        """Set while a coroutine waits."""

    def put(self, item: T, kind: str = ONLY_KIND) -> bool:
        """Leave an item; whether it was accepted, which it is not after ``close``."""
        dropped: list[T] = []
        with self._changed:
            if self._waits:
                self._changed.wait_for(lambda: self._closed or self._has_room(kind))
            if self._closed:
                return False
            if not self._has_room(kind):
                dropped.append(self._drop_oldest(kind))
            self._items.append((kind, item))
            self._counts[kind] += 1
            self._notify()
        if self._on_drop is not None:
            for old in dropped:
                self._on_drop(old)
        return True

    def take(self, timeout_s: float | None = None) -> T:
        """The oldest item, waiting for one.

        Raises ``TimeoutError`` when none came in time, and ``Closed`` once the handoff is closed and empty.
        """
        with self._changed:
            if not self._clock.wait_for(self._changed, self._is_ready, timeout_s):
                raise TimeoutError
            return self._pop()

    def take_batch(self, limit: int) -> list[T]:
        """The oldest item, waiting for one, and those behind it, up to ``limit`` together. Raises ``Closed``."""
        with self._changed:
            self._changed.wait_for(self._is_ready)
            batch = [self._pop()]
            while self._items and len(batch) < limit:
                batch.append(self._pop())
            return batch

    async def take_async(self) -> T:
        """As ``take``, for a reader on the event loop."""
        loop = asyncio.get_running_loop()
        while True:
            came = asyncio.Event()
            with self._changed:
                if self._is_ready():
                    return self._pop()
                self._wake_coroutine = partial(loop.call_soon_threadsafe, came.set)
            try:
                await came.wait()
            finally:
                with self._changed:
                    self._wake_coroutine = None

    def __iter__(self) -> Iterator[T]:
        """Items as they come, until the handoff is closed and empty."""
        while True:
            try:
                item = self.take()
            except Closed:
                return
            yield item

    def clear(self) -> Mapping[str, int]:
        """Remove what is inside, not counted as dropped: how many items of each kind that was."""
        with self._changed:
            removed = dict(+self._counts)
            self._items.clear()
            self._counts.clear()
            self._changed.notify_all()
            return removed

    def close(self) -> None:
        """Accept no more items; the reader still gets those inside."""
        with self._changed:
            self._closed = True
            self._notify()

    def cancel(self) -> None:
        """Accept no more items and remove those inside, so that the reader ends as soon as it asks again."""
        with self._changed:
            self.close()
            self.clear()

    @property
    def dropped(self) -> Mapping[str, int]:
        """Items dropped so far, by kind."""
        with self._changed:
            return dict(self._dropped)

    # All below are called with the lock held.

    def _is_ready(self) -> bool:
        return self._closed or bool(self._items)

    def _has_room(self, kind: str) -> bool:
        return self._counts[kind] < self._capacity[kind]

    def _pop(self) -> T:
        if not self._items:
            raise Closed
        kind, item = self._items.popleft()
        self._counts[kind] -= 1
        self._changed.notify_all()
        return item

    def _drop_oldest(self, kind: str) -> T:
        # By place: items need not be comparable.
        place = next(place for place, (other, _) in enumerate(self._items) if other == kind)
        item = self._items[place][1]
        del self._items[place]
        self._counts[kind] -= 1
        self._dropped[kind] += 1
        return item

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._wake_coroutine is not None:
            # Once for any number of items: a busy loop must not find a call for each of them.
            wake, self._wake_coroutine = self._wake_coroutine, None
            wake()
