"""One line at the bottom of a terminal, kept up to date below what is logged."""

import logging
import sys
from typing import Final

CLEAR: Final = "\r\x1b[K"


class StatusLine(logging.Filter):
    """Shows a line on standard error; as a filter of the log's handlers, it makes room for what they write."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = False

    def show(self, text: str) -> None:
        """Put ``text`` in place of what is shown; empty takes it away."""
        if text or self._shown:
            print(CLEAR + text, end="", file=sys.stderr, flush=True)
        self._shown = bool(text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through, on a line of its own."""
        self.show("")
        return True
