"""How every command ends: its work done and its exit code, or one line on standard error."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Final

import typer

from emocolor.errors import EmocolorError, SinkError

from .logs import configure_short_logging
from .messages import printable, say
from .signals import Stopped, handled_by, raise_stopped

EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 unexpected error, 2 wrong option, 3 done but the input was damaged, "
    "4 input cannot be read, 5 output cannot be written, 6 something is not installed, 7 a net cannot be used, "
    "129, 130 and 143 ended by SIGHUP, Ctrl-C or SIGTERM, and what was done is kept."
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
    raise SystemExit(_code_of(work, verbose))


def interruptible(work: Callable[[], int]) -> int:
    """Do work that cleans up where a signal interrupts it, and return its exit code."""
    with handled_by(raise_stopped):
        return work()


def _code_of(work: Callable[[], int], verbose: int) -> int:
    try:
        return work()
    except EmocolorError as error:
        _print_trace(verbose)
        from .parameters import with_flags

        say(f"error: {with_flags(str(error))}")
        return error.exit_code
    except Stopped as stopped:
        say("stopped before it was done.")
        return stopped.exit_code
    except KeyboardInterrupt:
        say("stopped before anything was done.")
        return 130
    except BrokenPipeError:
        # What read our standard output has left, as `head` does; Python would fail again where it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SinkError.exit_code
    except Exception as error:
        _print_trace(verbose)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        say(f"error: this should not happen ({what}); please report it with what -vv prints.")
        return 1


def _print_trace(verbose: int) -> None:
    if verbose > 1:
        for line in traceback.format_exc().splitlines():
            say(printable(line, kept="\t"))
