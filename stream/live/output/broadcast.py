"""Every rendered frame to every output; while none comes in, the last one is repeated at the input's rate."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from ..audio import AudioFormat, AudioPacket
from ..capture.connection import DEFAULT_RATE
from ..clock import SYSTEM_CLOCK, Clock
from ..handoff import Closed, Handoff
from ..media_clock import TICK
from ..session import RenderedFrame
from ..worker import Worker
from .canvas import Canvas
from .queued_output import OutputFormat

ROUNDING_S: Final = 1e-3
"""A wait may end this much before the time that it was computed from."""


@dataclass(frozen=True, kw_only=True)
class BroadcastOptions:
    """How much may wait, and when an input counts as silent."""

    frames: int = 4
    """Rendered frames that may wait here."""
    silent_after_s: float = 1.0
    """The last frame is repeated when none came in for this long,"""
    silent_after_frames: int = 3
    """and for the time of this many frames, where rates are lower."""


class BroadcastTarget(Protocol):
    """Takes what is sent, in the broadcast's thread; must not block."""

    def put_frame(self, frame: av.VideoFrame, output_format: OutputFormat) -> None:
        """A frame on the format's canvas, shared with others."""
        ...

    def put_audio(self, packet: AudioPacket) -> None: ...


class Broadcast:
    """Brings rendered frames into one format and sends them to all targets, in a thread of its own."""

    def __init__(
        self,
        targets: Sequence[BroadcastTarget],
        *,
        options: BroadcastOptions | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._targets = targets
        self._options = options or BroadcastOptions()
        self._clock = clock
        self._rendered: Handoff[RenderedFrame] = Handoff(self._options.frames, clock=clock)
        self._rate = DEFAULT_RATE
        self._audio: AudioFormat | None = None
        self._connected = False
        self._format: OutputFormat | None = None
        self._last: av.VideoFrame | None = None
        self._sent_at = 0.0
        self._received_at = -math.inf
        self._no_signal: NDArray[np.uint8] | None = None
        """Planes of what is shown while the input is silent."""
        self._drops = Counter[str]()
        self.sent = 0
        """Frames of the input that were sent."""
        self.repeated = 0
        """Frames that were sent in place of missing ones."""
        self._worker = Worker("broadcast", self._run, stop=self._rendered.close, clock=clock)

    def start(self) -> None:
        """Start to send."""
        self._worker.start()

    def connected(self, rate: Fraction, audio: AudioFormat | None) -> None:
        """An input was opened. The first one decides the format of all outputs, to the end."""
        if not self._connected:
            self._rate, self._audio, self._connected = rate, audio, True

    def frame_received(self, now: float) -> None:
        """A frame came in and is going to be rendered."""
        self._received_at = now

    def put(self, rendered: RenderedFrame) -> None:
        """Take a rendered frame; never waits."""
        self._rendered.put(rendered)

    def put_audio(self, packet: AudioPacket) -> None:
        """Pass audio on; never waits."""
        for target in self._targets:
            target.put_audio(packet)

    def close(self) -> None:
        """Send what is here, and end."""
        self._worker.close()

    @property
    def drops(self) -> Mapping[str, int]:
        """Frames that were rendered and not sent, by reason."""
        slow = sum(self._rendered.dropped.values())
        return ({"slow broadcast": slow} if slow else {}) | dict(self._drops)

    def _run(self) -> None:
        while True:
            try:
                rendered = self._rendered.take(self._timeout_s())
            except Closed:
                return
            except TimeoutError:
                # Not where a frame has come in meanwhile and is still being rendered.
                if self._silence_left_s() < ROUNDING_S:
                    self._repeat()
                continue
            self._no_signal = None
            self._send_rendered(rendered)

    def _timeout_s(self) -> float | None:
        """How long to wait for a frame before something else may be due."""
        if self._last is None:
            return None
        return max(0.0, self._silence_left_s()) if self._no_signal is None else float(1 / self._rate)

    def _silence_left_s(self) -> float:
        """Seconds until the input counts as silent, if nothing comes in."""
        limit_s = max(self._options.silent_after_s, float(self._options.silent_after_frames / self._rate))
        return self._received_at + limit_s - self._clock.now()

    def _send_rendered(self, rendered: RenderedFrame) -> None:
        if self._format is None:
            self._format = OutputFormat(Canvas.of(rendered.frame), self._rate, self._audio)
        frame = self._format.canvas.draw(rendered.frame)
        if self._last is not None and _pts(frame) <= _pts(self._last):
            self._drops["out of order"] += 1
            return
        self.sent += 1
        self._send(frame)

    def _repeat(self) -> None:
        """Send the last frame again, dimmed and with a notice, as much later as time has passed."""
        assert self._format is not None
        assert self._last is not None
        if self._no_signal is None:
            self._no_signal = self._format.canvas.no_signal(self._last)
        elapsed = max(1, round((self._clock.now() - self._sent_at) / float(TICK)))
        self.repeated += 1
        self._send(self._format.canvas.frame_of(self._no_signal, _pts(self._last) + elapsed))

    def _send(self, frame: av.VideoFrame) -> None:
        assert self._format is not None
        self._last, self._sent_at = frame, self._clock.now()
        for target in self._targets:
            target.put_frame(frame, self._format)


def _pts(frame: av.VideoFrame) -> int:
    assert frame.pts is not None
    return frame.pts
