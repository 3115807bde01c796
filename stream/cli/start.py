"""The entry point: what must be in order before anything else is loaded."""

import sys
from collections.abc import Sequence

from .messages import open_standard_streams
from .signals import handle_by, handled_by, leave


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these words, and exit. Without them this is the whole process."""
    if arguments is not None:
        with handled_by(leave):
            _run(arguments)
    handle_by(leave)  # to the very end: a signal while Python shuts down would end in a traceback
    open_standard_streams()
    _run(sys.argv[1:])


def _run(words: Sequence[str]) -> None:
    from .app import run_app  # loading it takes a moment, in which a signal may come

    run_app(words)
