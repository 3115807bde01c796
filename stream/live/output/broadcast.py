"""Every painted picture to every output; where none comes in, the last one held, at the input's rate."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final, Literal, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from ..audio import AudioFormat, AudioPacket
from ..capture.connection import USUAL_RATE
from ..handover import Handover
from ..mailbox import Closed
from ..media_clock import TICK
from ..session import RenderedFrame
from .canvas import Canvas
from .output import Form

HOLD_AFTER_S: Final = 1.0
"""A picture is held when none has come in for so long, or for three pictures' time at rates below that."""
WAITING: Final = 4
"""RenderedFrame pictures that may wait here."""
GLANCE_S: Final = 0.1
"""How often to look whether the input has fallen silent."""


class Receiver(Protocol):
    """Takes what is sent, in the broadcast's thread; must not block."""

    def put_picture(self, picture: av.VideoFrame, form: Form) -> None:
        """A picture on the form's canvas, shared with others."""
        ...

    def put_audio(self, packet: AudioPacket) -> None: ...


class Broadcast:
    """Brings painted pictures into one form and sends them to all, in a thread of its own."""

    def __init__(self, receivers: Sequence[Receiver]) -> None:
        self._receivers = receivers
        self._painted: Handover[Literal["picture"], RenderedFrame] = Handover({"picture": WAITING})
        self._rate = USUAL_RATE
        self._sound: AudioFormat | None = None
        self._told = False
        self._form: Form | None = None
        self._last: av.VideoFrame | None = None
        self._sent_at = self._arrived_at = 0.0
        self._held: NDArray[np.uint8] | None = None
        self._drops = Counter[str]()
        self.sent = 0
        """Pictures of the input that were sent."""
        self.holds = 0
        """Pictures that were sent in place of missing ones."""
        self._thread = threading.Thread(target=self._work, name="broadcast", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def connected(self, rate: Fraction, sound: AudioFormat | None) -> None:
        """An input was opened. The first decides what the outputs are like, to the end."""
        if not self._told:
            self._rate, self._sound, self._told = rate, sound, True

    def arrived(self, now: float) -> None:
        """A picture came in, on its way to be painted."""
        self._arrived_at = now

    def deliver(self, painted: RenderedFrame) -> None:
        """Take a painted picture; never waits."""
        self._painted.put("picture", painted)

    def put_audio(self, packet: AudioPacket) -> None:
        """Pass sound on; never waits."""
        for receiver in self._receivers:
            receiver.put_audio(packet)

    def close(self) -> None:
        """Send what is here, and end."""
        self._painted.close()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def drops(self) -> Mapping[str, int]:
        """Pictures that were painted and not sent, by reason."""
        slow = self._painted.dropped.get("picture", 0)
        return ({"slow broadcast": slow} if slow else {}) | dict(self._drops)

    def _work(self) -> None:
        while True:
            try:
                painted = self._painted.take(self._patience())
            except Closed:
                return
            if painted is not None:
                self._held = None
                self._send_painted(painted)
            elif self._is_silent():
                self._send_held()

    def _patience(self) -> float:
        """How long to wait for a picture before something else is to be done."""
        return GLANCE_S if self._held is None else float(1 / self._rate)

    def _is_silent(self) -> bool:
        longest = max(HOLD_AFTER_S, float(3 / self._rate))
        return self._last is not None and time.monotonic() - self._arrived_at > longest

    def _send_painted(self, painted: RenderedFrame) -> None:
        if self._form is None:
            self._form = Form(Canvas.of(painted.frame), self._rate, self._sound)
        picture = self._form.canvas.draw(painted.frame)
        if self._last is not None and _pts(picture) <= _pts(self._last):
            self._drops["out of order"] += 1
            return
        self.sent += 1
        self._send(picture)

    def _send_held(self) -> None:
        """The last picture again, dimmed and with a notice, as much later as time has passed."""
        assert self._form is not None
        assert self._last is not None
        if self._held is None:
            self._held = self._form.canvas.hold(self._last)
        later = max(1, round((time.monotonic() - self._sent_at) / float(TICK)))
        self.holds += 1
        self._send(self._form.canvas.show(self._held, _pts(self._last) + later))

    def _send(self, picture: av.VideoFrame) -> None:
        assert self._form is not None
        self._last, self._sent_at = picture, time.monotonic()
        for receiver in self._receivers:
            receiver.put_picture(picture, self._form)


def _pts(picture: av.VideoFrame) -> int:
    assert picture.pts is not None
    return picture.pts
