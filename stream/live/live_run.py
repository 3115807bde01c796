"""A live picture from an input to its outputs, as a person runs it: signals, a status line, a summary, an exit code.

capture ──► session ──► broadcast ──┬──► an encoder for each output
   │        (paint, watch)          ├──► virtual camera
   └─────────── sound ─────────────►┴──► window
"""

import contextlib
import logging
import queue
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Final

from emocolor.errors import EmocolorError, SourceError
from emocolor.faces import Scene
from engines.runners.selection import Device, check_device

from .audio import AudioPacket
from .capture.connection import Captured, Connection
from .capture.inputs import LiveInput
from .capture.reconnecting import Capture
from .chain import ChainBuilder
from .controls import Controls
from .face_judge import BatchedClassifier
from .output.broadcast import Broadcast
from .output.destinations import Destination
from .output.media import EncoderOptions, MediaOutput
from .output.output import Form, Output, OutputThread
from .output.virtual_camera import VirtualCamera, check_virtual_camera
from .output.window import Window, check_window
from .quality import LEVELS, ControllerOptions
from .session import LiveSession, RenderedFrame
from .statistics import Snapshot
from .status_line import StatusLine

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
STOPPED_AT_ONCE: Final = 128 + signal.SIGINT
DRAIN_S: Final = 2.0
"""How long to wait at the end for pictures that are being painted."""
GLANCE_S: Final = 0.25
"""Between two status lines."""
REFRESH_S: Final = 0.01
"""Between two looks at the window."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """All that a live run can be told."""

    source: LiveInput
    destinations: tuple[Destination, ...] = ()
    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    view: bool = False
    """Show a window."""
    virtual_camera: bool = False
    controls: Controls = field(default_factory=Controls)
    latency_s: float = 0.12
    """What the program may add; quality steps down before it adds more."""
    once: bool = False
    """End when the input is lost, instead of opening it again."""
    device: Device = "auto"
    show_status: bool = False
    """Keep a line on standard error up to date."""


@dataclass(frozen=True)
class Ending:
    """Why a run ends: by itself or its viewer, by a signal, or by an error."""

    error: EmocolorError | None = None
    signal: int | None = None


def run_live(settings: LiveSettings) -> int:
    """Run until the end, and return the exit code.

    Raises an ``EmocolorError`` for what cannot be begun, and for what ended the run, once all is finished.
    """
    if settings.view:
        check_window()
    if settings.virtual_camera:
        check_virtual_camera()
    check_device(settings.device)
    try:
        return LiveRun(settings).run()
    except KeyboardInterrupt:
        log.error("stopped at once; what was being written may lack its end.")
        return STOPPED_AT_ONCE


class LiveRun:
    """The parts of one run and who tells whom; takes what the input gives."""

    def __init__(self, settings: LiveSettings) -> None:
        self._settings = settings
        self._endings: queue.SimpleQueue[Ending] = queue.SimpleQueue()
        self._capture = Capture(settings.source, self, self._input_ended, once=settings.once)
        self._outputs = self._make_outputs()
        self._window = Window() if settings.view else None
        self._broadcast = Broadcast([*self._outputs, *([self._window] if self._window else [])])
        self._judge = BatchedClassifier(device=settings.device)
        self._session = LiveSession(
            self._judge,
            settings.controls,
            self._deliver,
            builder=ChainBuilder(settings.device),
            options=ControllerOptions(budget_s=settings.latency_s),
            failed=lambda error: self._endings.put(Ending(error)),
        )
        self._scene: Scene | None = None
        self._skipped = 0

    def run(self) -> int:
        """As ``run_live`` says."""
        with _signals(self._endings) as stop_at_once, contextlib.ExitStack() as started:
            self._start(started)
            began = time.monotonic()
            with _status_line() if self._settings.show_status else contextlib.nullcontext() as status:
                ending = self._wait(status)
            lasted_s = time.monotonic() - began
            stop_at_once()
        return self._conclude(ending, lasted_s)

    def _start(self, started: contextlib.ExitStack) -> None:
        """Start one part after the other, the last first to be ended: what it gave then still goes its way."""
        if self._settings.once or self._settings.source.kind != "network":
            started.callback(self._capture.close)
            self._capture.open()
        self._judge.start(LEVELS)
        started.callback(self._judge.close)
        for output in self._outputs:
            output.start()
        started.callback(_close_all, self._outputs)
        self._broadcast.start()
        started.callback(self._broadcast.close)
        started.callback(self._session.close)
        self._session.start()
        self._capture.start()
        started.callback(self._stop_input)

    # What the input tells, in its thread.

    def connected(self, connection: Connection) -> None:
        """As ``reconnecting.Receiver`` says, as what follows."""
        self._broadcast.connected(connection.rate, connection.sound)

    def picture(self, captured: Captured) -> None:
        self._broadcast.arrived(captured.received_at)
        self._session.offer(captured.frame, captured.received_at)

    def sound(self, packet: AudioPacket) -> None:
        self._broadcast.put_audio(packet)

    def skipped(self, packets: int) -> None:
        self._skipped += packets

    def _input_ended(self, error: SourceError | None) -> None:
        self._endings.put(Ending(error))

    # What happens to it.

    def _make_outputs(self) -> list[OutputThread]:
        settings = self._settings
        outputs = [
            OutputThread(
                place.shown,
                partial(_open_media, place, settings.encoder),
                self._output_failed,
                comes_back=place.kind == "network" and not settings.once,
            )
            for place in settings.destinations
        ]
        if settings.virtual_camera:
            outputs.append(OutputThread("virtual camera", VirtualCamera, self._output_failed))
        return outputs

    def _deliver(self, painted: RenderedFrame) -> None:
        self._scene = painted.scene
        self._broadcast.deliver(painted)

    def _output_failed(self, output: OutputThread) -> None:
        """Go on while there is another output."""
        log.error("%s", output.error, extra={"event": "output lost", "output": output.shown})
        if self._window is None and all(other.error is not None for other in self._outputs):
            self._endings.put(Ending(output.error))

    # Waiting and ending, in the main thread.

    def _wait(self, status: StatusLine | None) -> Ending:
        """Until something ends the run; the window and the status line are looked after meanwhile."""
        shown_at = 0.0
        while True:
            with contextlib.suppress(queue.Empty):
                return self._endings.get(timeout=REFRESH_S if self._window else GLANCE_S)
            if self._window is not None and self._window.refresh():
                return Ending()
            if status is not None and time.monotonic() - shown_at >= GLANCE_S:
                shown_at = time.monotonic()
                status.show(self._status())

    def _stop_input(self) -> None:
        """End the input, and wait until what it gave has been painted."""
        self._capture.stop()
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline:
            figures = self._session.snapshot()
            if figures.frames_in == figures.frames_out + sum(figures.drops.values()):
                return
            time.sleep(0.01)

    def _conclude(self, ending: Ending, lasted_s: float) -> int:
        if self._window is not None:
            self._window.close()
        self._summarise(lasted_s)
        if ending.error is not None:
            raise ending.error
        if ending.signal is not None:
            return 128 + ending.signal
        failed = next((output.error for output in self._outputs if output.error is not None), None)
        if failed is not None:
            raise failed
        return 0

    # What is told.

    def _drops(self, figures: Snapshot) -> dict[str, int]:
        """All that was dropped on the way to the outputs, by reason."""
        late = Counter({"slow decoder": self._skipped})
        return dict(late + Counter(figures.drops) + Counter(self._broadcast.drops))

    def _status(self) -> str:
        figures, scene = self._session.snapshot(), self._scene
        if self._capture.state != "live":
            return f"{self._capture.state}: {self._settings.source.shown}"
        faces, late = len(scene.faces) if scene else 0, figures.latency_ms.get("p95", 0)
        seen = f"{faces} face{'s' * (faces != 1)}{f', {scene.emotion}' if scene and faces else ''}"
        return (
            f"{figures.fps_in:.0f} fps in, {figures.fps_out:.0f} out, latency {late:.0f} ms, "
            f"level {self._session.level} of {len(LEVELS) - 1}, dropped {sum(self._drops(figures).values())}, {seen}"
        )

    def _summarise(self, lasted_s: float) -> None:
        figures = self._session.snapshot()
        drops, latency = self._drops(figures), figures.latency_ms
        words = [f"{figures.frames_in} pictures in, {self._broadcast.sent} out in {lasted_s:.1f} s"]
        words += [f"{self._broadcast.holds} held"] if self._broadcast.holds else []
        words += [f"dropped: {_spell(drops)}" if drops else "none dropped"]
        words += [f"latency p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms"] if latency else []
        words += [_spell_output(output) for output in self._outputs]
        log.info(
            "%s.",
            "; ".join(words),
            extra={
                "event": "summary",
                "frames_in": figures.frames_in,
                "frames_out": self._broadcast.sent,
                "frames_held": self._broadcast.holds,
                "losses": self._capture.losses,
                "drops": drops,
                "latency_ms": latency,
                "outputs": {one.shown: {"frames": one.pictures, "drops": dict(one.drops)} for one in self._outputs},
            },
        )


def _open_media(place: Destination, encoder: EncoderOptions, form: Form) -> Output:
    return MediaOutput(place, form, encoder)


def _close_all(outputs: list[OutputThread]) -> None:
    for output in outputs:
        output.end()
    for output in outputs:
        output.close()


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


def _spell(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in counts.items())


def _spell_output(output: OutputThread) -> str:
    drops = f", dropped: {_spell(output.drops)}" if output.drops else ""
    return f"{output.shown}: {output.pictures} pictures{drops}"


@contextlib.contextmanager
def _signals(endings: "queue.SimpleQueue[Ending]") -> Iterator[Callable[[], None]]:
    """Turn Ctrl-C and SIGTERM into an ending; after a call of what is given, into ``KeyboardInterrupt``."""

    def end(number: int, frame: FrameType | None) -> None:
        endings.put(Ending(signal=number))  # the one queue that a signal handler may use

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def stop_at_once() -> None:
        for number in SIGNALS:
            signal.signal(number, interrupt)

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield stop_at_once
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
