"""A bound for the queue between aiortc's network side and its decoders.

aiortc's ``RTCRtpReceiver`` leaves encoded frames in a queue without a bound for a decoder in a thread of its own, so
that memory and latency grow for as long as decoding is slower than what comes. The queue put in its place here holds
half a second: what goes beyond is dropped up to the next key frame, which is asked for.
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
_H264_IDR: Final = re.compile(rb"\x00\x00\x01[\x05\x25\x45\x65]")
"""A start code and the header of a NAL unit of type 5, with any ``nal_ref_idc``."""


class EncodedQueue(queue.Queue[Any]):
    """Takes (codec, frame) pairs, and ``None`` for the end, which overtakes what waits: closing never waits for it."""

    def __init__(self, most: int, dropped: Callable[[], None], ask_for_key: Callable[[], None] | None) -> None:
        """``ask_for_key`` is ``None`` where frames do not build on each other."""
        super().__init__()
        self._most = most
        self._dropped = dropped
        self._ask_for_key = ask_for_key
        self._broken = False
        """What came before the next frame is lost, so that only a key frame can be decoded."""
        self._asked_at = -ASK_AGAIN_S

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is None:
            self._drop_all()
        elif self.qsize() >= self._most:
            self._drop_all()
            self._broken = self._ask_for_key is not None
        if item is not None and self._broken:
            codec, frame = item
            if not is_key_frame(codec.name, frame.data):
                self._dropped()
                self._ask(time.monotonic())
                return
            self._broken = False
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
            self._dropped()


def is_key_frame(codec: str, data: bytes) -> bool:
    """Whether an encoded frame can be decoded without those before it; ``data`` as aiortc assembles it.

    VP8 says so in the lowest bit of its first byte (RFC 6386, section 9.1), H.264 by an IDR picture's NAL unit.
    """
    if codec.upper() == "VP8":
        return len(data) > 0 and data[0] & 1 == 0
    return _H264_IDR.search(data) is not None


def bound_decoder_queue(receiver: RTCRtpReceiver, kind: str, dropped: Callable[[], None]) -> None:
    """Put a bounded queue into a receiver that has not begun; ``dropped`` is told of each frame that is left out.

    aiortc has no public way to do this: the attributes are its own. Setting the event makes the receiver send a
    picture loss indication with the next packet.
    """
    failed: threading.Event = receiver._RTCRtpReceiver__decoder_error  # type: ignore[attr-defined]
    assert isinstance(receiver._RTCRtpReceiver__decoder_queue, queue.Queue)  # type: ignore[attr-defined]
    bounded = (
        EncodedQueue(MOST_VIDEO, dropped, failed.set) if kind == "video" else EncodedQueue(MOST_AUDIO, dropped, None)
    )
    receiver._RTCRtpReceiver__decoder_queue = bounded  # type: ignore[attr-defined]
