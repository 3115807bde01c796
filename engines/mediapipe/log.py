"""MediaPipe's log on stderr, without the lines that only report that all is well.

MediaPipe has no switch for it and writes to file descriptor 2 in native code. The descriptor belongs to the process, so
the state here is global too.
"""

import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

ROUTINE_LINES: Final = re.compile(
    rb"(INFO|WARNING): (\[\w+\.cc:\d+\]|Created TensorFlow Lite|Logging before InitGoogle)|[IW]\d{4} .*\.cc:\d+\]"
)
"""What MediaPipe writes to stderr while all is well."""
LOGGED_ONCE: Final = b"tensor memory is not aligned"
"""Logged once in a process, at the first input whose address is no multiple of 64: nearly always the first input of a
net, but sometimes a later one."""

_REDIRECTION = threading.RLock()
"""Held while file descriptor 2 is redirected, so that threads do not restore each other's redirection."""
_LOGGED_ONCE = threading.Event()


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Redirect file descriptor 2 to a temporary file; at the end, also on failure, pass on all but routine lines.

    Lines that other threads write meanwhile are delayed until then. If stderr is closed, nothing is redirected.
    """
    with _REDIRECTION:
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
def quiet_until_logged_once() -> Iterator[None]:
    """``quiet_stderr`` until MediaPipe has logged its one line; from then on do nothing, which costs nothing."""
    if _LOGGED_ONCE.is_set():
        yield
    else:
        with quiet_stderr():
            yield


def one_line(error: Exception) -> str:
    """MediaPipe's message without its line breaks and its full stop."""
    return " ".join(str(error).split()).rstrip(".")


def _pass_on(text: bytes) -> None:
    if LOGGED_ONCE in text:
        _LOGGED_ONCE.set()
    kept = b"".join(line for line in text.splitlines(keepends=True) if not ROUTINE_LINES.match(line))
    if kept:
        with suppress(OSError):  # a broken pipe is no reason to fail
            os.write(2, kept)
