"""The same hand-over for a reader on the event loop: any thread leaves an item, a coroutine takes the newest."""

import asyncio
import threading
from typing import Generic, TypeVar

from .mailbox import Closed

T = TypeVar("T")


class LoopMailbox(Generic[T]):
    """Holds at most one item between writers in any thread, which never wait, and one reader, which awaits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """``loop`` is the reader's, running."""
        self._loop = loop
        self._lock = threading.Lock()
        self._item: T | None = None
        self._closed = False
        self._changed = asyncio.Event()

    def put(self, item: T) -> bool:
        """Leave an item; whether one that nobody had taken was dropped for it. After ``close`` it is left out."""
        with self._lock:
            if self._closed:
                return False
            dropped, self._item = self._item is not None, item
            if not dropped:  # else the reader has been woken already, and many wakings would queue in the loop
                self._loop.call_soon_threadsafe(self._changed.set)
            return dropped

    async def take(self) -> T:
        """The newest item, waiting for it. Raises ``Closed`` once closed."""
        while True:
            await self._changed.wait()
            with self._lock:
                if self._closed:
                    raise Closed
                self._changed.clear()
                item, self._item = self._item, None
            if item is not None:
                return item

    def close(self) -> None:
        """End the hand-over, from the loop's thread; what is inside is dropped."""
        with self._lock:
            self._closed, self._item = True, None
        self._changed.set()
