"""A bounded queue between two threads, which can be closed and cancelled."""

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

from ..files.stop_request import Cancelled

__all__ = ["Cancelled", "Channel"]

T = TypeVar("T")


class Channel(Generic[T]):
    """Holds up to ``capacity`` items on their way from one thread to another, in order, and loses none.

    The writer waits while it is full, the reader while it is empty. After ``close`` the reader still gets the items
    inside, and then the end. ``cancel`` drops them: both sides get ``Cancelled``, immediately and from then on.
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
        """Add an item, waiting for room; raises ``Cancelled``."""
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or len(self._items) < self._capacity)
            if self._cancelled:
                raise Cancelled
            if self._closed:
                raise ValueError("put on a closed channel")
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        """Announce that no more items will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> None:
        """Wake both sides with ``Cancelled``; the items inside are dropped."""
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
