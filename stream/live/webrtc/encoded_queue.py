"""A bounded queue of encoded frames, between the network and a decoder.

aiortc's ``RTCRtpReceiver`` puts encoded frames into an unbounded queue for a decoder thread. Where decoding is slower
than the sender, memory and latency would grow without end. The queue here holds half a second: beyond that it drops
everything up to the next key frame, and requests one. It also starts with a key frame: clients encode while they still
connect, so their first key frame is often lost, and the next may be ten seconds away.
"""

import queue
import re
from collections.abc import Callable
from typing import Any, Final

from ..clock import SYSTEM_CLOCK, Clock

VIDEO_CAPACITY: Final = 15
"""Encoded frames: half a second at 30 a second."""
AUDIO_CAPACITY: Final = 50
"""Packets of 20 ms: one second."""
KEY_FRAME_REQUEST_INTERVAL_S: Final = 0.5
DECODER_BUSY, NO_KEY_FRAME, AUDIO_BACKLOG = "decoder busy", "no key frame", "audio backlog"
"""Why encoded frames are dropped."""
_H264_KEY: Final = re.compile(rb"\x00\x00\x01[\x05\x25\x45\x65\x07\x27\x47\x67]")
"""A start code and the header of a NAL unit of type 5 (IDR) or 7 (sequence parameter set), with any ``nal_ref_idc``.
Encoders with intra refresh send no IDR frames, but they send the parameter sets where decoding can start."""


class EncodedQueue(queue.Queue[Any]):
    """Holds (codec, frame) pairs. ``None`` marks the end and clears the queue, so closing never waits for a decoder."""

    def __init__(
        self,
        capacity: int,
        on_drop: Callable[[str], None],
        request_key_frame: Callable[[], None] | None,
        *,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``on_drop`` gets the reason for each dropped frame. Audio has no ``request_key_frame``: its frames can be
        decoded without those before them."""
        super().__init__()
        self._capacity = capacity
        self._on_drop = on_drop
        self._request_key_frame = request_key_frame
        self._clock = clock
        self._waiting_because = None if request_key_frame is None else NO_KEY_FRAME
        """Why only a key frame can be decoded next; ``None`` where any frame can."""
        self._requested_at: float | None = None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add a pair, or ``None`` for the end; never blocks."""
        if item is None:
            self._drop_all()
        elif self.qsize() >= self._capacity:
            self._drop_all()
            self._waiting_because = None if self._request_key_frame is None else DECODER_BUSY
        if item is not None and self._waiting_because is not None:
            codec, frame = item
            if not is_key_frame(codec.name, frame.data):
                self._on_drop(self._waiting_because)
                self._request()
                return
            self._waiting_because = None
        super().put(item)

    def _request(self) -> None:
        now = self._clock.now()
        waited = self._requested_at is None or now - self._requested_at >= KEY_FRAME_REQUEST_INTERVAL_S
        if self._request_key_frame is not None and waited:
            self._requested_at = now
            self._request_key_frame()

    def _drop_all(self) -> None:
        with self.mutex:
            count = len(self.queue)
            self.queue.clear()
        for _ in range(count):
            self._on_drop(AUDIO_BACKLOG if self._request_key_frame is None else DECODER_BUSY)


def is_key_frame(codec: str, data: bytes) -> bool:
    """Whether an encoded frame can be decoded without those before it; ``data`` as aiortc assembles it.

    VP8 marks an interframe in the lowest bit of the first byte (RFC 6386, section 9.1), H.264 tells by its NAL units.
    """
    if codec.upper() == "VP8":
        return len(data) > 0 and data[0] & 1 == 0
    return _H264_KEY.search(data) is not None
