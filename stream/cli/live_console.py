"""A live run as a person sees it: signals, a status line, a summary, an exit code."""

import contextlib
import logging
import queue
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from emocolor.errors import EmocolorError

from ..live.clock import SYSTEM_CLOCK
from ..live.run import LiveRun, LiveSettings, OutputReport, RunReport, check_settings
from .messages import show_status
from .signals import handle_by

STOPPED_AT_ONCE: Final = 128 + signal.SIGINT
STATUS_INTERVAL_S: Final = 0.25
REFRESH_INTERVAL_S: Final = 0.01
"""Between two refreshes of the window. This one polls: a window system wants its events handled by the main thread,
and OpenCV offers nothing to wait on."""
CLEAR_LINE: Final = "\r\x1b[K"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ending:
    """Why a run ends: its input or its viewer ended it (neither is set), an error, or a signal."""

    error: EmocolorError | None = None
    signal: int | None = None


def run_live(settings: LiveSettings, *, show_status: bool = False) -> int:
    """Run until the end, and return the exit code; ``show_status`` keeps a line on standard error up to date.

    Raises an ``EmocolorError`` for what cannot be started, and for what ended the run, once all is finished.
    """
    check_settings(settings)
    # SimpleQueue.put is reentrant, so that a signal handler may call it while the same thread waits in get. Locks and
    # conditions are not: a handoff would wait for itself.
    endings: queue.SimpleQueue[Ending] = queue.SimpleQueue()
    run = LiveRun(settings, lambda error: endings.put(Ending(error)))
    try:
        with _signals(endings) as stop_at_once, run:
            started_at = SYSTEM_CLOCK.now()
            with _status_line() if show_status else contextlib.nullcontext() as status:
                ending = _wait(run, settings, endings, status)
            lasted_s = SYSTEM_CLOCK.now() - started_at
            stop_at_once()
    except KeyboardInterrupt:
        log.error("stopped immediately; what was being written may lack its end.")
        return STOPPED_AT_ONCE
    return _conclude(run, ending, lasted_s)


def _wait(
    run: LiveRun, settings: LiveSettings, endings: "queue.SimpleQueue[Ending]", status: "StatusLine | None"
) -> Ending:
    """Until something ends the run; the window and the status line are kept up to date meanwhile."""
    interval_s = REFRESH_INTERVAL_S if run.window else STATUS_INTERVAL_S if status else None
    shown_at = 0.0
    while True:
        with contextlib.suppress(queue.Empty):
            return endings.get(timeout=interval_s)
        if run.window is not None and run.window.refresh():
            return Ending()
        now = SYSTEM_CLOCK.now()
        if status is not None and now - shown_at >= STATUS_INTERVAL_S:
            shown_at = now
            status.show(status_text(run.report(), settings.source.shown))


def _conclude(run: LiveRun, ending: Ending, lasted_s: float) -> int:
    if run.window is not None:
        run.window.close()
    report = run.report()
    log.info("%s.", summary_text(report, lasted_s), extra=summary_fields(report))
    if ending.error is not None:
        raise ending.error
    if ending.signal is not None:
        return 128 + ending.signal
    failed = next((output.error for output in report.outputs if output.error is not None), None)
    if failed is not None:
        raise failed
    return 0


def status_text(report: RunReport, source: str) -> str:
    """The state of a run in one line; ``source`` is the input's name."""
    if report.state != "live":
        return f"{report.state}: {source}"
    session, scene = report.session, report.scene
    faces = len(scene.faces) if scene else 0
    seen = f"{faces} face{'s' * (faces != 1)}{f', {scene.emotion}' if scene and faces else ''}"
    return (
        f"{session.fps_in:.0f} fps in, {session.fps_out:.0f} out, latency {session.latency_ms.get('p95', 0):.0f} ms, "
        f"level {report.level} of {report.levels - 1}, dropped {sum(report.drops.values())}, {seen}"
    )


def summary_text(report: RunReport, lasted_s: float) -> str:
    """What a run did, in one line."""
    latency = report.session.latency_ms
    parts = [f"{report.session.frames_in} frames in, {report.sent} out in {lasted_s:.1f} s"]
    parts += [f"{report.repeated} repeated"] if report.repeated else []
    parts += [f"dropped: {_counts(report.drops)}" if report.drops else "none dropped"]
    parts += [f"latency p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms"] if latency else []
    return "; ".join([*parts, *map(_output_text, report.outputs)])


def summary_fields(report: RunReport) -> dict[str, Any]:
    """The same for logs that machines read."""
    return {
        "event": "summary",
        "frames_in": report.session.frames_in,
        "frames_out": report.sent,
        "frames_repeated": report.repeated,
        "losses": report.losses,
        "drops": report.drops,
        "latency_ms": report.session.latency_ms,
        "outputs": {one.shown: {"frames": one.frames, "drops": one.drops} for one in report.outputs},
    }


def _output_text(output: OutputReport) -> str:
    drops = f", dropped: {_counts(output.drops)}" if output.drops else ""
    return f"{output.shown}: {output.frames} frames{drops}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in counts.items())


class StatusLine(logging.Filter):
    """One line at the bottom of a terminal; as a filter of the log's handlers, it makes room for what they write."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = False

    def show(self, text: str) -> None:
        """Replace what is shown by ``text``; empty takes it away."""
        if text or self._shown:
            show_status(CLEAR_LINE, text)
        self._shown = bool(text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the record through, on a line of its own."""
        self.show("")
        return True


@contextlib.contextmanager
def _status_line() -> Iterator[StatusLine]:
    """A line that gives way to the log, and is taken away at the end."""
    status, handlers = StatusLine(), logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(status)
    try:
        yield status
    finally:
        for handler in handlers:
            handler.removeFilter(status)
        status.show("")


@contextlib.contextmanager
def _signals(endings: "queue.SimpleQueue[Ending]") -> Iterator[Callable[[], None]]:
    """Turn what ends a command into an ending; once what is yielded was called, into ``KeyboardInterrupt``."""

    def end(number: int, frame: FrameType | None) -> None:
        endings.put(Ending(signal=number))

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def stop_at_once() -> None:
        handle_by(interrupt)

    before = handle_by(end)
    try:
        yield stop_at_once
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
