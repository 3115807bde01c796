"""A hand-over that keeps only the newest."""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """Nothing will come any more."""


class Mailbox(Generic[T]):
    """Holds at most one item between a writer that never waits and a reader that does."""

    def __init__(self) -> None:
        self._item: T | None = None
        self._changed = threading.Condition()
        self._closed = False

    def put(self, item: T) -> bool:
        """Leave an item; whether one that nobody had taken was dropped for it. After ``close`` it is left out."""
        with self._changed:
            if self._closed:
                return False
            dropped, self._item = self._item is not None, item
            self._changed.notify()
            return dropped

    def take(self, timeout_s: float | None = None) -> T | None:
        """The newest item, waiting for it; ``None`` when the time is over. Raises ``Closed`` once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
            if self._closed:
                raise Closed
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """End the hand-over; what is inside is dropped."""
        with self._changed:
            self._closed, self._item = True, None
            self._changed.notify_all()
