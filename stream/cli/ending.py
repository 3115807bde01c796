"""How every command ends: its work done and its exit code, or one line on standard error."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Final

import typer

from emocolor.errors import EmocolorError, SinkError

from .logs import configure_short_logging

EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 unexpected error, 2 wrong option, 3 done but the input was damaged, "
    "4 input cannot be read, 5 output cannot be written, 6 something is not installed, 7 a net cannot be used, "
    "130 ended by Ctrl-C and what was done is kept."
)

Verbose = Annotated[
    int, typer.Option("--verbose", "-v", count=True, help="Say more; twice: also where errors come from.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]


def perform(work: Callable[[], int], verbose: int) -> None:
    """Set up logging, do the work, and exit with the code that it returns."""
    configure_short_logging(verbose)
    end(work, verbose)


def end(work: Callable[[], int], verbose: int) -> None:
    """Do the work and exit: an error becomes one line, and its trace where -vv asks for it."""
    try:
        code = work()
    except EmocolorError as error:
        if verbose > 1:
            traceback.print_exc()
        from .parameters import with_flags

        print(f"error: {with_flags(str(error))}", file=sys.stderr)
        code = error.exit_code
    except KeyboardInterrupt:
        print("stopped before anything was done.", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        # What read our standard output has left, as `head` does; Python would fail again where it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = SinkError.exit_code
    except Exception as error:
        if verbose > 1:
            traceback.print_exc()
        what = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"error: this should not happen ({what}); please report it with what -vv prints.", file=sys.stderr)
        code = 1
    raise SystemExit(code)
