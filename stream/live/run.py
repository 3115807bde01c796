"""A live run: one input, its frames rendered, and all that they are written to, wired together under one owner.

capture ──► session ──► broadcast ──┬──► an encoder for each destination
   │   (render, analyze)     ▲      ├──► virtual camera
   └───────── audio ─────────┘      └──► window
"""

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Final

from emocolor.errors import EmocolorError
from emocolor.faces import Scene
from engines.runners.devices import Device, check_device

from ..graph import LiveChainBuilder
from ..media.writing.sink_options import SinkOptions
from ..settings import AnalysisOptions, LiveOptions
from .audio import AudioPacket
from .batched_classifier import BatchedClassifier
from .capture.capture import Capture, CaptureState
from .capture.connection import CapturedFrame, Connection
from .capture.inputs import LiveInput
from .clock import SYSTEM_CLOCK, Clock
from .controls import Controls
from .output.broadcast import Broadcast
from .output.destinations import Destination
from .output.h264 import EncoderOptions
from .output.media_output import MediaOutput
from .output.queued_output import LiveOutput, OutputFormat, QueuedOutput
from .output.virtual_camera import VirtualCamera, check_virtual_camera
from .output.window import Window, check_window
from .quality import ControllerOptions, levels_for
from .session import LiveSession, RenderedFrame
from .statistics import Snapshot

DRAIN_S: Final = 2.0
"""How long to wait at the end for frames that are being rendered."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class LiveSettings:
    """What a live run reads, does and writes."""

    source: LiveInput
    destinations: tuple[Destination, ...] = ()
    sink: SinkOptions = field(default_factory=SinkOptions)
    """How outputs are encoded: of its options ``crf`` and ``preset`` count."""
    view: bool = False
    """Show a window, which the main thread must refresh."""
    virtual_camera: bool = False
    controls: Controls = field(default_factory=Controls)
    analysis: AnalysisOptions = field(default_factory=AnalysisOptions)
    """``rate_hz``, ``net`` and ``passes`` count while quality is not reduced."""
    options: LiveOptions = field(default_factory=LiveOptions)
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True)
class OutputReport:
    """What became of one output."""

    shown: str
    frames: int
    """Written."""
    drops: Mapping[str, int]
    """Frames and audio packets by reason."""
    error: EmocolorError | None


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """The state of a run at one time; counts are since its start."""

    state: CaptureState
    losses: int
    """How often the input was lost."""
    session: Snapshot
    level: int
    """Of quality; 0 is the best."""
    levels: int
    scene: Scene | None
    """As of the latest frame."""
    sent: int
    """Frames of the input that went to the outputs."""
    repeated: int
    """Frames that were sent in place of missing ones."""
    drops: Mapping[str, int]
    """Frames that were dropped on the way to the outputs, by reason."""
    outputs: tuple[OutputReport, ...]


def check_settings(settings: LiveSettings) -> None:
    """Raises ``MissingDependencyError`` or ``EngineError`` where this machine lacks what the settings need."""
    if settings.view:
        check_window()
    if settings.virtual_camera:
        check_virtual_camera()
    check_device(settings.device)


class LiveRun:
    """The parts of one run, from the entry into its ``with`` block to the exit.

    ``ended`` is called, from any thread and possibly more than once, when the run cannot or need not go on: with
    ``None`` where the input came to its end, else with the error. The owner then leaves the block.
    """

    def __init__(
        self, settings: LiveSettings, ended: Callable[[EmocolorError | None], None], *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._settings, self._ended, self._clock = settings, ended, clock
        self._capture = Capture(settings.source, self, ended, once=settings.options.once, clock=clock)
        self._outputs = self._make_outputs()
        self.window = Window() if settings.view else None
        """To be refreshed, and closed at the end, by the main thread."""
        self._broadcast = Broadcast([*self._outputs, *([self.window] if self.window else [])], clock=clock)
        analysis = settings.analysis
        self._levels = levels_for(analysis.net, analysis.rate_hz, analysis.passes)
        self._classifier = BatchedClassifier(analysis, device=settings.device)
        self._session = LiveSession(
            self._classifier,
            settings.controls,
            self._deliver,
            builder=LiveChainBuilder(settings.device),
            levels=self._levels,
            options=ControllerOptions(budget_s=settings.options.latency_ms / 1000),
            failed=ended,
            clock=clock,
        )
        self._started = contextlib.ExitStack()
        self._scene: Scene | None = None
        self._skipped = 0

    def __enter__(self) -> "LiveRun":
        """Start everything. Raises ``EmocolorError`` where a part cannot start, with the others stopped again."""
        with contextlib.ExitStack() as started:
            self._start(started)
            self._started = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._started.close()

    def report(self) -> RunReport:
        """How it goes."""
        session = self._session.snapshot()
        skipped = Counter({"slow decoder": self._skipped})
        return RunReport(
            state=self._capture.state,
            losses=self._capture.losses,
            session=session,
            level=self._session.level,
            levels=len(self._levels),
            scene=self._scene,
            sent=self._broadcast.sent,
            repeated=self._broadcast.repeated,
            drops=dict(skipped + Counter(session.drops) + Counter(self._broadcast.drops)),
            outputs=tuple(
                OutputReport(shown=one.shown, frames=one.frames, drops=dict(one.drops), error=one.error)
                for one in self._outputs
            ),
        )

    def _start(self, started: contextlib.ExitStack) -> None:
        """Start one part after the other; they stop in reverse, so that each passes on what it still has."""
        if self._settings.options.once or self._settings.source.kind != "network":
            started.callback(self._capture.close)
            self._capture.open()
        self._classifier.start(self._levels)
        started.callback(self._classifier.close)
        for output in self._outputs:
            output.start()
        started.callback(self._close_outputs)
        self._broadcast.start()
        started.callback(self._broadcast.close)
        started.callback(self._session.close, drain_s=DRAIN_S)
        self._session.start()
        self._capture.start()
        started.callback(self._capture.stop)

    # As a CaptureListener: what the input sends, in the capture's thread.

    def connected(self, connection: Connection) -> None:
        self._broadcast.connected(connection.rate, connection.audio_format)

    def frame_captured(self, captured: CapturedFrame) -> None:
        self._broadcast.frame_received(captured.received_at)
        self._session.submit(captured.frame, captured.received_at)

    def audio_captured(self, packet: AudioPacket) -> None:
        self._broadcast.put_audio(packet)

    def packets_skipped(self, count: int) -> None:
        self._skipped += count

    # Where it goes.

    def _make_outputs(self) -> list[QueuedOutput]:
        settings = self._settings
        encoder = EncoderOptions.of(settings.sink)
        outputs = [
            QueuedOutput(
                destination.shown,
                partial(_open_media, destination, encoder),
                self._output_failed,
                reopens=destination.kind == "network" and not settings.options.once,
                clock=self._clock,
            )
            for destination in settings.destinations
        ]
        if settings.virtual_camera:
            outputs.append(QueuedOutput("virtual camera", VirtualCamera, self._output_failed, clock=self._clock))
        return outputs

    def _deliver(self, rendered: RenderedFrame) -> None:
        self._scene = rendered.scene
        self._broadcast.put(rendered)

    def _output_failed(self, output: QueuedOutput) -> None:
        """Go on while there is another output."""
        log.error("%s", output.error, extra={"event": "output lost", "output": output.shown})
        if self.window is None and all(other.error is not None for other in self._outputs):
            self._ended(output.error)

    def _close_outputs(self) -> None:
        """All finish in parallel."""
        for output in self._outputs:
            output.stop()
        for output in self._outputs:
            output.close()


def _open_media(destination: Destination, encoder: EncoderOptions, output_format: OutputFormat) -> LiveOutput:
    return MediaOutput(destination, output_format, encoder)
