"""Bytes into a pipe whose other end may stop reading."""

import os
import select
from typing import Final

PATIENCE_S: Final = 5.0
"""How long the other end may take nothing."""


class BytePipe:
    """Writes to a pipe as PyAV writes to a file, and gives up where nothing is taken."""

    def __init__(self, descriptor: int) -> None:
        """``descriptor`` is used, not owned, and left as it is."""
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)

    def write(self, data: bytes) -> int:
        """Write it all. Raises ``BrokenPipeError`` where nobody reads, ``TimeoutError`` where nobody goes on."""
        rest = memoryview(data)
        while rest:
            if not self._poll.poll(PATIENCE_S * 1000):
                raise TimeoutError(f"nothing was taken for {PATIENCE_S:g} s")
            # A pipe that is ready has room for so much, so that this does not block.
            rest = rest[os.write(self._descriptor, rest[: select.PIPE_BUF]) :]
        return len(data)
