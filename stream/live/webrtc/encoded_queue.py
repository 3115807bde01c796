"""A bound for the queue between aiortc's network side and its decoders.

aiortc's ``RTCRtpReceiver`` leaves encoded frames in a queue without a bound for a decoder in a thread of its own, so
that memory and latency grow for as long as decoding is slower than what comes. The queue put in its place here holds
half a second: what goes beyond is dropped up to the next key frame, which is asked for. It begins with a key frame too:
clients encode while they still connect, so that their first one is often lost, and the next may be ten seconds away.
"""

import queue
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from aiortc import RTCRtpReceiver

MOST_VIDEO: Final = 15
"""Encoded frames; half a second at 30 a second."""
MOST_AUDIO: Final = 50
"""Packets of 20 ms."""
ASK_AGAIN_S: Final = 0.5
BUSY, NO_KEY, SOUND, BROKEN = "decoder busy", "no key frame", "sound", "undecodable"
"""Reasons for which encoded frames are left out."""
_H264_KEY: Final = re.compile(rb"\x00\x00\x01[\x05\x25\x45\x65\x07\x27\x47\x67]")
"""A start code and the header of a NAL unit of type 5 (IDR) or 7 (sequence parameter set), with any ``nal_ref_idc``. An
encoder that refreshes its picture little by little sends no IDR, but the parameters where one can begin."""


class EncodedQueue(queue.Queue[Any]):
    """Takes (codec, frame) pairs, and ``None`` for the end, which overtakes what waits: closing never waits for it."""

    def __init__(self, most: int, dropped: Callable[[str], None], ask_for_key: Callable[[], None] | None) -> None:
        """``dropped`` is told why a frame is left out; ``ask_for_key`` is ``None`` where frames do not build on each
        other."""
        super().__init__()
        self._most = most
        self._dropped = dropped
        self._ask_for_key = ask_for_key
        self._lacking = NO_KEY if ask_for_key is not None else None
        """Why what comes before the next frame is not there, so that only a key frame can be decoded."""
        self._asked_at = -ASK_AGAIN_S

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            self._drop_all()
        elif self.qsize() >= self._most:
            self._drop_all()
            self._lacking = BUSY if self._ask_for_key is not None else None
        if item is not None and self._lacking is not None:
            codec, frame = item
            if not is_key_frame(codec.name, frame.data):
                self._dropped(self._lacking)
                self._ask(time.monotonic())
                return
            self._lacking = None
        super().put(item)

    def _ask(self, now: float) -> None:
        if self._ask_for_key is not None and now - self._asked_at >= ASK_AGAIN_S:
            self._asked_at = now
            self._ask_for_key()

    def _drop_all(self) -> None:
        with self.mutex:
            count = len(self.queue)
            self.queue.clear()
        for _ in range(count):
            self._dropped(SOUND if self._ask_for_key is None else BUSY)


def is_key_frame(codec: str, data: bytes) -> bool:
    """Whether an encoded frame can be decoded without those before it; ``data`` as aiortc assembles it.

    VP8 says so in the lowest bit of its first byte (RFC 6386, section 9.1), H.264 by its NAL units.
    """
    if codec.upper() == "VP8":
        return len(data) > 0 and data[0] & 1 == 0
    return _H264_KEY.search(data) is not None


class _DecoderFailed(threading.Event):
    """aiortc's decoder sets it at every frame that it cannot decode, and its receiver then asks for a key frame."""

    def __init__(self, dropped: Callable[[str], None]) -> None:
        super().__init__()
        self._dropped = dropped

    def set(self) -> None:
        self._dropped(BROKEN)
        super().set()

    def ask_for_key(self) -> None:
        """Where nothing failed."""
        super().set()


def bound_decoder_queue(receiver: RTCRtpReceiver, kind: str, dropped: Callable[[str], None]) -> None:
    """Put a bounded queue into a receiver that has not begun; ``dropped`` is told why each frame is left out.

    aiortc has no public way to do this: the attributes are its own. Setting the event makes the receiver send a
    picture loss indication with the next packet.
    """
    assert isinstance(receiver._RTCRtpReceiver__decoder_error, threading.Event)  # type: ignore[attr-defined]
    assert isinstance(receiver._RTCRtpReceiver__decoder_queue, queue.Queue)  # type: ignore[attr-defined]
    failed = _DecoderFailed(dropped)
    bounded = (
        EncodedQueue(MOST_VIDEO, dropped, failed.ask_for_key)
        if kind == "video"
        else EncodedQueue(MOST_AUDIO, dropped, None)
    )
    receiver._RTCRtpReceiver__decoder_error = failed  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__decoder_queue = bounded  # type: ignore[attr-defined]
