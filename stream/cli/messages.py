"""What the command prints: safe for a terminal, without secrets, and never a reason to fail.

Names and tags of files, and what servers send, are text of others. A terminal obeys control characters in it.
"""

import contextlib
import io
import os
import sys
import unicodedata
from typing import Final, TextIO

from ..redaction import redacted

STANDARD_OUTPUT: Final = 1
STANDARD_ERROR: Final = 2
CONTROLS: Final = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Categories of Unicode that are escaped: controls, halves of surrogates (bytes of names that are no text), and
separators of lines."""
BIDIRECTIONAL: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They let a text look like another one."""


def say(text: str, stream: TextIO | None = None) -> None:
    """Print one line of a message, by default on standard error.

    Where that is closed, or its terminal is gone, nothing happens.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        try:
            print(printable(text), file=stream or sys.stderr, flush=True)
        except RuntimeError:  # a signal's handler interrupted the same stream, which is not reentrant
            os.write((stream or sys.stderr).fileno(), f"{printable(text)}\n".encode(errors="backslashreplace"))


def show(text: str, *, end: str = "\n", flush: bool = False) -> None:
    """Print what was asked for on standard output, line breaks kept. Raises ``OSError``."""
    print(printable(text, kept="\n"), end=end, flush=flush)


def show_status(prefix: str, text: str) -> None:
    """Print a part of a line on standard error, after control characters of our own; as harmless as ``say``."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        print(prefix + printable(text), end="", file=sys.stderr, flush=True)


def release_terminal() -> None:
    """Let nothing more be printed where the terminal is gone: writing to it would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (STANDARD_OUTPUT, STANDARD_ERROR):
        if os.isatty(descriptor):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)


def open_standard_streams() -> None:
    """Give the process the three standard streams where it was started without one.

    Else the next file that is opened takes the place of the closed one, and gets what libraries print into it.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (STANDARD_OUTPUT, os.O_WRONLY), (STANDARD_ERROR, os.O_WRONLY)):
        with contextlib.suppress(OSError):
            os.fstat(descriptor)
            continue
        os.open(os.devnull, mode)  # takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(STANDARD_OUTPUT, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(STANDARD_ERROR, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show_cursor() -> None:
    """Bring back the terminal's cursor, which a progress bar hides."""
    if sys.stderr is not None and sys.stderr.isatty():
        show_status("\x1b[?25h", "")


def printable(text: str, *, kept: str = "") -> str:
    """The text on one line: control characters are escaped but for those that are ``kept``, URLs lose their secrets."""
    return "".join(char if char in kept else _escaped(char) for char in redacted(text))


def printable_json(line: str) -> str:
    """A line of JSON with the same characters escaped; it means the same."""
    return "".join(f"\\u{ord(char):04x}" if _is_control(char) else char for char in line)


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in CONTROLS or char in BIDIRECTIONAL


def _escaped(char: str) -> str:
    if not _is_control(char):
        return char
    if "\udc80" <= char <= "\udcff":  # a byte that Python could not decode
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode()
