"""A live input that is opened again when it is lost, in a thread of its own."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from emocolor.errors import EmocolorError, SourceError

from ..audio import AudioPacket
from ..back_off import BackOff, BackOffOptions
from ..clock import SYSTEM_CLOCK, Clock, StopSignal
from ..media_clock import MediaClock
from ..worker import Worker
from .connection import CapturedFrame, Connection, LoginRefused
from .inputs import LiveInput

CaptureState = Literal["waiting", "live", "lost"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CaptureOptions:
    """When a lost input is opened again, and how long to wait for one that is stopped."""

    back_off: BackOffOptions = field(default_factory=BackOffOptions)
    healthy_s: float = 5.0
    """After an input that lasted this long, delays start with the shortest again."""
    max_refusals: int = 3
    """How often in a row an input may refuse the login after it had accepted it: some do so while they start. One that
    never accepted it is not asked again."""
    join_timeout_s: float = 1.0
    """A reader that waits for a dead peer longer than this is left behind."""


class CaptureListener(Protocol):
    """Gets what an input sends, in the reading thread; must not block."""

    def connected(self, connection: Connection) -> None:
        """An input was opened; called before anything comes from it."""
        ...

    def frame_captured(self, captured: CapturedFrame) -> None: ...

    def audio_captured(self, packet: AudioPacket) -> None: ...

    def packets_skipped(self, count: int) -> None:
        """Packets were not decoded, because the decoder was too slow."""
        ...


class Capture:
    """Reads an input, and opens it again with growing delays when it is lost.

    ``ended`` is called once, in the reading thread, when nothing more will come: with ``None`` where a recording has
    come to its end, else with what went wrong.
    """

    def __init__(
        self,
        source: LiveInput,
        listener: CaptureListener,
        ended: Callable[[EmocolorError | None], None],
        *,
        once: bool = False,
        options: CaptureOptions | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``once`` ends at the first loss."""
        self._source, self._listener, self._ended = source, listener, ended
        self._reopens = source.reopens and not once
        self._options = options or CaptureOptions()
        self._clock = clock
        self._media_clock, self._back_off = MediaClock(), BackOff(self._options.back_off)
        self._connection: Connection | None = None
        self._stop = StopSignal(clock)
        self._worker = Worker("capture", self._run, stop=self._request_stop, failed=ended, clock=clock)
        self.state: CaptureState = "waiting"
        self._refusals = 0
        self.losses = 0
        """How often the input was lost after it had been live."""

    def open(self) -> None:
        """Open the input now, so that what is wrong with it is known before work begins. Raises ``SourceError``."""
        self._connection = self._open()

    def start(self) -> None:
        """Start to read; the input is opened first where ``open`` did not."""
        self._worker.start()

    def stop(self) -> None:
        """End without a call of ``ended``. A reader that waits for a dead peer is left behind."""
        self._worker.close(self._options.join_timeout_s)

    def close(self) -> None:
        """Release an input that was opened and is not being read."""
        if self._connection is not None and not self._worker.running:
            self._connection.close()

    def _request_stop(self) -> None:
        self._stop.set()
        if (connection := self._connection) is not None:
            connection.stop()

    def _open(self) -> Connection:
        return Connection(
            self._source,
            self._media_clock,
            skipped=self._listener.packets_skipped,
            warn=lambda warning: log.warning("%s: %s", self._source.shown, warning, extra={"event": "warning"}),
            clock=self._clock,
        )

    def _run(self) -> None:
        while not self._stop.is_set():
            failure = self._read_until_end()
            if self._stop.is_set():
                return
            if failure is None:
                self._ended(None)
                return
            if self.state == "live":
                self.state = "lost"
                self.losses += 1
            self._refusals = self._refusals + 1 if isinstance(failure, LoginRefused) else 0
            refused = self._refusals >= (self._options.max_refusals if self.state == "lost" else 1)
            if refused or not self._reopens:
                raise failure
            delay_s = self._back_off.next()
            log.warning("%s Trying again in %g s.", failure, delay_s, extra={"event": "retry", "delay_s": delay_s})
            self._stop.wait(delay_s)

    def _read_until_end(self) -> SourceError | None:
        """Open the input and read it: ``None`` where it came to a proper end, else why it did not."""
        started_at = self._clock.now()
        try:
            connection = self._connection = self._connection or self._open()
            self._listener.connected(connection)
            log.info("%s: %s", self._source.shown, connection.summary, extra={"event": "connected"})
            started_at = self._clock.now()
            self._read(connection)
        except SourceError as error:
            return error
        finally:
            self._release(self._clock.now() - started_at)
        if connection.has_end or not self._reopens:
            return None
        return SourceError(f"{self._source.shown} ended.")

    def _read(self, connection: Connection) -> None:
        for item in connection.read():
            if self._stop.is_set():
                return
            self.state = "live"
            if isinstance(item, CapturedFrame):
                self._listener.frame_captured(item)
            else:
                self._listener.audio_captured(item)

    def _release(self, lasted_s: float) -> None:
        opened = self._connection is not None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if opened and lasted_s >= self._options.healthy_s:
            self._back_off.reset()
