"""Pipes and devices, read and written so that a stop ends every wait.

FFmpeg's own calls on a pipe cannot be ended from outside. Here Python waits for the pipe and for the stop at once.
"""

import contextlib
import errno
import io
import os
import select
import stat
import weakref
from pathlib import Path
from typing import Any, Final

from .stop_request import StopRequest

STANDARD_INPUT: Final = 0
STANDARD_OUTPUT: Final = 1
PREFIX: Final = "pipe:"
"""How the names begin that pipes have in PyAV."""
NO_READER_INTERVAL_S: Final = 0.1
"""Between two attempts to open a named pipe that nobody reads yet: the system offers nothing to wait on."""


class PipeReader:
    """Reads standard input or a named pipe as PyAV reads a file. It ends where its writer leaves, or at a stop."""

    def __init__(self, place: Path | int, stop: StopRequest) -> None:
        """``place``: a path, or a descriptor, which stays open. Raises ``OSError``."""
        self._stop, self.name = stop, f"{PREFIX}{place}"
        if isinstance(place, int):
            self._descriptor = place
            return
        # Without O_NONBLOCK opening would wait for a writer, and nothing could end that wait.
        self._descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, at least one; none at the end. Raises ``OSError``."""
        while self._stop.wait_readable(self._descriptor):
            with contextlib.suppress(BlockingIOError):
                return os.read(self._descriptor, size)
        return b""


class PipeWriter(io.RawIOBase):
    """Writes to standard output, a named pipe or a device. A named pipe is opened by the first write."""

    def __init__(self, place: Path | int, stop: StopRequest, *, limit_s: float | None = None) -> None:
        """``place``: a path, or a descriptor, which stays open. ``limit_s``: how long it may accept nothing."""
        self._place, self._stop, self._limit_s, self.name = place, stop, limit_s, f"{PREFIX}{place}"
        self._descriptor: int | None = None
        self._chunk_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Write all of it, waiting for the reader.

        Raises ``BrokenPipeError`` where that is gone, ``TimeoutError`` where it accepts nothing while the job finishes,
        ``Cancelled``, and other ``OSError``.
        """
        if self._descriptor is None:
            self._descriptor = self._open()
            self._chunk_bytes = _chunk_bytes(self._descriptor)
        view = memoryview(data).cast("B")
        rest = view
        while rest:
            self._stop.wait_writable(self._descriptor, self._limit_s)
            with contextlib.suppress(BlockingIOError):
                rest = rest[os.write(self._descriptor, rest[: self._chunk_bytes]) :]
        return len(view)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        super().close()

    def _open(self) -> int:
        if isinstance(self._place, int):
            return _own_descriptor(self._place)
        while True:
            try:
                return os.open(self._place, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
            if self._stop.is_stopping:
                raise TimeoutError(errno.ETIMEDOUT, "nobody reads it")
            self._stop.pause(NO_READER_INTERVAL_S)


def is_pipe(path: Path) -> bool:
    """Whether this is a named pipe, or leads to one."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _own_descriptor(shared: int) -> int:
    """A descriptor for the same pipe that does not block; other processes that share the first one notice nothing."""
    if stat.S_ISFIFO(os.fstat(shared).st_mode):
        with contextlib.suppress(OSError):
            return os.open(f"/proc/self/fd/{shared}", os.O_WRONLY | os.O_NONBLOCK)
    return os.dup(shared)


def _chunk_bytes(descriptor: int) -> int:
    """How much to write at once: a descriptor that is ready for more than this may still block."""
    kind = os.fstat(descriptor).st_mode
    may_block = os.get_blocking(descriptor) and not (stat.S_ISREG(kind) or stat.S_ISBLK(kind))
    return select.PIPE_BUF if may_block else 1 << 20
