"""What signals do before a command handles them by itself, and what they are called."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .messages import say

if TYPE_CHECKING:
    import asyncio

HANGUP: Final[signal.Signals | None] = getattr(signal, "SIGHUP", None)
"""A terminal that is closed; Windows has no such signal."""
STOPS: Final = (signal.SIGINT, signal.SIGTERM, *((HANGUP,) if HANGUP else ()))
"""Ctrl-C, a service manager, and a terminal that is closed."""

Handler = Callable[[int, FrameType | None], None]


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def raise_stopped(number: int, frame: FrameType | None) -> NoReturn:
    """Let the main thread clean up."""
    raise Stopped(number)


def leave(number: int, frame: FrameType | None) -> NoReturn:
    """End the process here. While modules are loaded an exception would surface as any other, or not at all."""
    say("stopped before anything was done.")
    os._exit(128 + number)


@contextlib.contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Handle the signals so while the block runs. Without effect outside the main thread.

    SIGHUP stays ignored where it is, as under ``nohup``.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = handle_by(handler)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


@contextlib.contextmanager
def handled_on(loop: "asyncio.AbstractEventLoop", handler: Callable[[int], None]) -> Iterator[None]:
    """Handle the signals so on the event loop, while the block runs in the main thread."""

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handler, number)

    # The loop's own way is for POSIX alone.
    before = handle_by(on_signal)
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, signal.SIG_DFL if previous is None else previous)


def handle_by(handler: Handler) -> dict[int, Any]:
    """Handle the signals so from now on; what handled them before."""
    return {number: signal.signal(number, handler) for number in handled_signals()}


def handled_signals() -> list[signal.Signals]:
    """The signals that end a command here."""
    return [one for one in STOPS if one != HANGUP or signal.getsignal(one) is not signal.SIG_IGN]
