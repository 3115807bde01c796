"""Packets of an input in their stored order, with times from zero, until it ends, fails or is stopped."""

import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from .source_info import Damage
from .timestamps import PacketTimes

if TYPE_CHECKING:
    Packet = av.Packet[Any]
else:
    Packet = av.Packet  # generic in PyAV's type stubs alone


class PacketReader:
    """Reads the packets of the video and of its companions, and records where the input breaks off.

    One thread reads; ``stop`` and ``close`` may be called from any.
    """

    def __init__(
        self,
        container: av.container.InputContainer,
        video: av.VideoStream,
        others: Sequence[Any],
        origin: Fraction,
        damage: Damage,
    ) -> None:
        """``origin``: the time that becomes zero, in seconds of the input's clock."""
        self._container, self._video, self._damage = container, video, damage
        self._times = PacketTimes(origin)
        self._demuxed = container.demux(video, *others)
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self.failure: Exception | None = None
        """The error that ended the reading, if any did."""
        self.video_end = Fraction(0)
        """Latest end of a video packet so far, in seconds from zero."""

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    @property
    def jumps(self) -> int:
        """How often the input's clock was restarted."""
        return self._times.jumps

    def stop(self) -> None:
        """End the packets at the next one."""
        self._stopped.set()

    def close(self) -> None:
        """Release the container, once a read in progress has returned."""
        self._stopped.set()
        with self._lock:
            self._container.close()

    def packets(self) -> Iterator[Packet]:
        """Packets of all streams; a new iteration continues where the last one stopped."""
        # A damaged packet is held until the next of the video. If none follows, it is where the file was cut off;
        # with frame threads, its error would discard the good frames that are still being decoded.
        held: Packet | None = None
        while (packet := self._next()) is not None:
            is_video = packet.stream.index == self._video.index
            self._times.shift(packet, is_video=is_video)
            if is_video:
                if held is not None:
                    yield held
                held = packet if packet.is_corrupt else None
                self._note_end(packet)
            if packet is not held:
                yield packet
        if held is not None and not self.stopped:
            self._damage.packets += 1
            self._damage.truncated = True

    def _next(self) -> Packet | None:
        """The next packet with data, ``None`` at the end."""
        with self._lock:
            while not self._stopped.is_set():
                try:
                    packet = next(self._demuxed, None)
                except (av.FFmpegError, OSError) as error:
                    self.failure = error
                    self._damage.truncated = True
                    return None
                if packet is None or not _is_flush(packet):
                    return packet
        return None

    def _note_end(self, packet: Packet) -> None:
        if packet.pts is not None:
            self.video_end = max(self.video_end, (packet.pts + (packet.duration or 0)) * packet.time_base)


def _is_flush(packet: Packet) -> bool:
    """Whether this is one of the empty packets that PyAV gives for each stream at the end."""
    return packet.size == 0 and packet.pts is None and packet.dts is None
