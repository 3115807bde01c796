"""An output of a live video in a thread of its own, behind a bounded handoff."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import av

from emocolor.errors import EmocolorError, SinkError

from ..audio import AudioFormat, AudioPacket
from ..back_off import BackOff, BackOffOptions
from ..clock import SYSTEM_CLOCK, Clock, StopSignal
from ..handoff import Closed, Handoff
from ..media_clock import TICK
from ..worker import Worker
from .canvas import Canvas

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class QueueOptions:
    """How much may wait for an output, and how long to wait for it."""

    frames: int = 8
    """A quarter of a second."""
    audio_packets: int = 256
    """Some seconds."""
    finish_timeout_s: float = 10.0
    """An output that takes longer to finish is left behind."""
    healthy_frames: int = 100
    """After this many frames, delays before another try start with the shortest again."""
    back_off: BackOffOptions = field(default_factory=BackOffOptions)


@dataclass(frozen=True)
class OutputFormat:
    """What an output gets, known before its first frame and the same to the end."""

    canvas: Canvas
    rate: Fraction
    """Nominal frames per second."""
    audio: AudioFormat | None


class LiveOutput(Protocol):
    """Takes frames and audio of one format. All calls come from one thread, and may block."""

    def write(self, frame: av.VideoFrame) -> None:
        """Take a frame of the format's canvas, with ``pts`` in ``TICK``. It is shared: it must not be changed.

        Raises ``SinkError``.
        """
        ...

    def write_audio(self, packet: AudioPacket) -> None:
        """Take audio of the format's, not earlier than the first frame. Raises ``SinkError``."""
        ...

    def finish(self) -> None:
        """Write what is left, and close. Raises ``SinkError``; ``abort`` is called then."""
        ...

    def abort(self) -> None:
        """Close, whatever state it is in; never raises."""
        ...


@dataclass(frozen=True)
class _QueuedFrame:
    """A frame with what was known of it when it was sent."""

    frame: av.VideoFrame
    format: OutputFormat


class QueuedOutput:
    """Opens an output at the first frame, feeds it, and finishes it.

    ``put_frame`` and ``put_audio`` never wait. An output that fails is opened again with growing delays where
    ``reopens``; else ``failed`` is called, once, and what still comes is ignored.
    """

    def __init__(
        self,
        shown: str,
        open_output: Callable[[OutputFormat], LiveOutput],
        failed: Callable[["QueuedOutput"], None],
        *,
        reopens: bool = False,
        options: QueueOptions | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``shown`` is its name in messages."""
        self.shown = shown
        self.frames = 0
        """Written so far."""
        self._open, self._failed, self._reopens = open_output, failed, reopens
        self._options = options or QueueOptions()
        self._items: Handoff[_QueuedFrame | AudioPacket] = Handoff(
            {"frame": self._options.frames, "audio": self._options.audio_packets}
        )
        self._back_off = BackOff(self._options.back_off)
        self._stopping = StopSignal(clock)
        self._not_written = Counter[str]()
        self._timeout: SinkError | None = None
        self._worker = Worker(
            f"output {shown}", self._run, stop=self._request_stop, failed=self._note_failure, clock=clock
        )

    @property
    def error(self) -> EmocolorError | None:
        """What ended it, if it was not ``close``."""
        return self._timeout or self._worker.error

    @property
    def drops(self) -> Mapping[str, int]:
        """Frames and audio packets that were dropped, by reason."""
        slow = self._items.dropped
        return {f"slow output, {kind}": count for kind, count in slow.items()} | dict(self._not_written)

    def start(self) -> None:
        """Start to wait for frames."""
        self._worker.start()

    def put_frame(self, frame: av.VideoFrame, output_format: OutputFormat) -> None:
        self._items.put(_QueuedFrame(frame, output_format), "frame")

    def put_audio(self, packet: AudioPacket) -> None:
        self._items.put(packet, "audio")

    def stop(self) -> None:
        """Let it write what it has, and finish; does not wait for it."""
        self._worker.stop()

    def close(self) -> None:
        """Stop it, and wait until it has finished, for at most ``finish_timeout_s``."""
        if not self._worker.close(self._options.finish_timeout_s):
            self._timeout = SinkError(f"{self.shown} could not be finished in {self._options.finish_timeout_s:g} s.")

    def _request_stop(self) -> None:
        self._stopping.set()
        self._items.close()

    def _note_failure(self, error: EmocolorError) -> None:
        self._items.cancel()
        self._failed(self)

    def _run(self) -> None:
        while True:
            try:
                self._write_until_closed()
                return
            except SinkError as error:
                if not self._reopens or self._stopping.is_set():
                    raise
                delay_s = self._back_off.next()
                log.warning("%s Trying again in %g s.", error, delay_s, extra={"event": "retry", "delay_s": delay_s})
            self._pause(delay_s)

    def _pause(self, delay_s: float) -> None:
        self._stopping.wait(delay_s)
        for kind, count in self._items.clear().items():
            self._not_written[f"output unavailable, {kind}"] += count

    def _write_until_closed(self) -> None:
        early: deque[AudioPacket] = deque(maxlen=self._options.audio_packets)
        first = self._first_frame(early)
        if first is None:
            return
        output_format, start = first.format, float((first.frame.pts or 0) * TICK)
        output = self._open(output_format)
        try:
            size_wh = output_format.canvas.size_wh
            log.info("%s: %dx%d", self.shown, *size_wh, extra={"event": "opened", "output": self.shown})
            self._write(output, first)
            for packet in early:
                self._write_audio(output, packet, output_format, start)
            for item in self._items:
                if isinstance(item, _QueuedFrame):
                    self._write(output, item)
                else:
                    self._write_audio(output, item, output_format, start)
            output.finish()
        except BaseException:
            output.abort()
            raise

    def _first_frame(self, early: deque[AudioPacket]) -> _QueuedFrame | None:
        """The first frame, with the audio before it kept in ``early``; ``None`` where none comes."""
        try:
            while not isinstance(item := self._items.take(), _QueuedFrame):
                early.append(item)
        except Closed:
            return None
        return item

    def _write(self, output: LiveOutput, queued: _QueuedFrame) -> None:
        output.write(queued.frame)
        self.frames += 1
        if self.frames % self._options.healthy_frames == 0:
            self._back_off.reset()

    def _write_audio(self, output: LiveOutput, packet: AudioPacket, output_format: OutputFormat, start: float) -> None:
        """Leave out audio from before the first frame, and of a format that the output was not opened for."""
        if packet.format != output_format.audio:
            self._not_written["other audio format"] += 1
        elif packet.time >= start:
            output.write_audio(packet)
