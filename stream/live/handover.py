"""A bounded hand-over for what must not wait, of several kinds in one order."""

import threading
from collections import Counter, deque
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

from .mailbox import Closed

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Handover(Generic[K, T]):
    """Holds a few items of each kind between writers that never wait and a reader that does.

    Where there is no room for one more of a kind, the oldest of that kind is dropped and counted. After ``close`` the
    reader still gets what is inside.
    """

    def __init__(self, room: Mapping[K, int]) -> None:
        """``room`` is the most items of each kind."""
        self._room = dict(room)
        self._items: deque[tuple[K, T]] = deque()
        self._inside = Counter[K]()
        self._dropped = Counter[K]()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, kind: K, item: T) -> None:
        """Leave an item; after ``close`` it is left out."""
        with self._changed:
            if self._closed:
                return
            if self._inside[kind] == self._room[kind]:
                del self._items[next(place for place, (other, _) in enumerate(self._items) if other == kind)]
                self._inside[kind] -= 1
                self._dropped[kind] += 1
            self._items.append((kind, item))
            self._inside[kind] += 1
            self._changed.notify()

    def take(self, timeout_s: float | None = None) -> T | None:
        """The oldest item, waiting for it; ``None`` when the time is over. Raises ``Closed`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._items, timeout_s)
            if not self._items:
                if self._closed:
                    raise Closed
                return None
            kind, item = self._items.popleft()
            self._inside[kind] -= 1
            return item

    def clear(self) -> Mapping[K, int]:
        """Take out what is inside, without counting it as dropped; how much it was, by kind."""
        with self._changed:
            inside = {kind: count for kind, count in self._inside.items() if count}
            self._inside.clear()
            self._items.clear()
            return inside

    def close(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def dropped(self) -> Mapping[K, int]:
        """Items dropped so far, by kind."""
        with self._changed:
            return {kind: count for kind, count in self._dropped.items() if count}
