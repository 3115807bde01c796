"""What MediaPipe says on stderr, held back where it says only that all is well.

Nothing but file descriptor 2 reaches its log: it belongs to the process, and so does all state here.
"""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

NATIVE_CHATTER: Final = re.compile(
    rb"(INFO|WARNING): (\[\w+\.cc:\d+\]|Created TensorFlow Lite|Logging before InitGoogle)|[IW]\d{4} .*\.cc:\d+\]"
)
"""What MediaPipe writes to stderr while all is well."""
SAID_ONCE: Final = b"tensor memory is not aligned"
"""Said once in a process, at the first input that ``malloc`` gave an address which is no multiple of 64: nearly always
a net's first one, but seldom that of a later image."""

# Nets made at the same time take turns.
_TURN = threading.RLock()
_SETTLED = threading.Event()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hold back what native code says on file descriptor 2, then pass on what is not idle chatter.

    Lines that other threads write meanwhile come out at the end, on failure too; where stderr is closed, nothing is
    changed.
    """
    with _TURN:
        try:
            original = os.dup(2)
        except OSError:
            yield
            return
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(original, 2)
                os.close(original)
                held.seek(0)
                _pass_on(held.read())


@contextmanager
def quiet_until_settled() -> Iterator[None]:
    """As ``quiet_stderr`` until MediaPipe has said what it says once; from then on nothing is done."""
    if _SETTLED.is_set():
        yield
    else:
        with quiet_stderr():
            yield


def one_line(error: Exception) -> str:
    """MediaPipe's message without its line breaks and its full stop."""
    return " ".join(str(error).split()).rstrip(".")


def _pass_on(text: bytes) -> None:
    if SAID_ONCE in text:
        _SETTLED.set()
    kept = b"".join(line for line in text.splitlines(keepends=True) if not NATIVE_CHATTER.match(line))
    if kept:
        with suppress(OSError):  # a broken pipe to the terminal is no reason to fail
            os.write(2, kept)
