"""A bounded handoff between two threads."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Cancelled(Exception):
    """The work that this channel belongs to was called off."""


class Channel(Generic[T]):
    """Holds up to ``capacity`` items on their way from one thread to another, in order, losing none.

    The writer waits while it is full, the reader while it is empty. ``close`` says that no more
    will come: the reader still gets what is there. ``cancel`` calls everything off: both sides
    get ``Cancelled``, at once and from then on.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, got {capacity}")
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._cancelled = False

    def put(self, item: T) -> None:
        """Hand an item over, waiting for room; raises ``Cancelled``."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or len(self._items) < self._capacity)
            if self._cancelled:
                raise Cancelled
            if self._closed:
                raise ValueError("put on a closed channel")
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Say that no more items will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Call off the handoff; what is inside is dropped."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Items until the channel is closed and empty; raises ``Cancelled``."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._cancelled or self._closed or self._items)
                if self._cancelled:
                    raise Cancelled
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
