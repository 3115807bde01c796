"""A live input that is opened again when it is lost, in a thread of its own."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Final, Literal, Protocol

from emocolor.errors import SourceError

from ..audio import AudioPacket
from ..media_clock import MediaClock
from .connection import Captured, Connection
from .inputs import LiveInput

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 10.0
HEALTHY_S: Final = 5.0
"""After an input that lasted so long, pauses begin at the shortest again."""
FAREWELL_S: Final = 1.0
"""How long to wait for a reader that is stopped; one that waits for a dead peer is left to end by itself."""

State = Literal["waiting", "live", "lost"]

log = logging.getLogger(__name__)


class BackOff:
    """How long to wait before the next try: 0.5 s, and twice as long each time, up to 10 s."""

    def __init__(self) -> None:
        self._next = FIRST_DELAY_S

    def next(self) -> float:
        """Seconds to wait now."""
        delay, self._next = self._next, min(2 * self._next, LONGEST_DELAY_S)
        return delay

    def reset(self) -> None:
        """Begin anew: what is tried has worked."""
        self._next = FIRST_DELAY_S


class Receiver(Protocol):
    """Takes what an input gives, in the input's thread; must not block."""

    def connected(self, connection: Connection) -> None:
        """An input was opened; called before anything comes from it."""
        ...

    def picture(self, captured: Captured) -> None: ...

    def sound(self, packet: AudioPacket) -> None: ...

    def skipped(self, packets: int) -> None:
        """Packets were not decoded, because the decoder was late."""
        ...


class Capture:
    """Reads an input, and opens it again with growing pauses when it is lost.

    ``ended`` is told, once and in the reading thread, that nothing more will come: with ``None`` where a recording
    came to its end, else with what went wrong.
    """

    def __init__(
        self, source: LiveInput, receiver: Receiver, ended: Callable[[SourceError | None], None], *, once: bool = False
    ) -> None:
        """``once`` ends at the first loss."""
        self._source, self._receiver, self._ended = source, receiver, ended
        self._comes_back = source.comes_back and not once
        self._clock, self._back_off = MediaClock(), BackOff()
        self._connection: Connection | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._guarded, name="capture", daemon=True)
        self.state: State = "waiting"
        self.losses = 0
        """How often it was lost after it had been live."""

    def open(self) -> None:
        """Open the input now, so that what is wrong with it is known before work begins. Raises ``SourceError``."""
        self._connection = self._open()

    def start(self) -> None:
        """Begin to read, opening the input where ``open`` did not."""
        self._thread.start()

    def stop(self) -> None:
        """End; ``ended`` is not told. A read that waits for a dead peer is not waited for."""
        self._stopped.set()
        if (connection := self._connection) is not None:
            connection.stop()
        if self._thread.is_alive():
            self._thread.join(FAREWELL_S)

    def close(self) -> None:
        """Release an input that was opened and is not read."""
        if self._connection is not None and not self._thread.is_alive():
            self._connection.close()

    def _open(self) -> Connection:
        return Connection(self._source, self._clock, skipped=self._receiver.skipped)

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:  # a defect of ours must not leave the program waiting
            log.exception("reading the input failed")
            self._ended(SourceError(f"Internal error: {error!r}."))

    def _run(self) -> None:
        while not self._stopped.is_set():
            failure = self._read_once()
            if self._stopped.is_set():
                return
            if failure is not None and self.state == "live":
                self.state = "lost"
                self.losses += 1
            if failure is None or not self._comes_back:
                self._ended(failure)
                return
            delay = self._back_off.next()
            log.warning("%s Trying again in %g s.", failure, delay, extra={"event": "retry", "delay_s": delay})
            self._stopped.wait(delay)

    def _read_once(self) -> SourceError | None:
        """Open and read until it ends; why that is no proper end."""
        began = math.inf
        try:
            connection = self._connection = self._connection or self._open()
            self._receiver.connected(connection)
            log.info("%s: %s", self._source.shown, connection.summary, extra={"event": "connected"})
            began = time.monotonic()
            self._read(connection)
        except SourceError as error:
            return error
        finally:
            self._release(time.monotonic() - began)
        if connection.has_end or not self._comes_back:
            return None
        return SourceError(f"{self._source.shown} ended.")

    def _read(self, connection: Connection) -> None:
        for item in connection.read():
            if self._stopped.is_set():
                return
            self.state = "live"
            if isinstance(item, Captured):
                self._receiver.picture(item)
            else:
                self._receiver.sound(item)

    def _release(self, lasted_s: float) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if lasted_s >= HEALTHY_S:
            self._back_off.reset()
