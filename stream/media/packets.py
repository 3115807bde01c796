"""Packets of an input in the order they are stored, with times from zero, until it ends, breaks off or is stopped."""

import threading
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av

from .source_facts import Damage
from .timestamps import PacketTimes

if TYPE_CHECKING:
    Packet = av.Packet[Any]
else:
    Packet = av.Packet  # generic to type checkers alone


class PacketReader:
    """Reads the video stream's packets and its companions', noting where the input breaks off.

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
        """``origin`` is the time, in seconds of the input's clock, that becomes zero."""
        self._container, self._video, self._damage = container, video, damage
        self._times = PacketTimes(origin)
        self._demuxed = container.demux(video, *others)
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self.failure: Exception | None = None
        """What ended the reading, if it was not the end of the input."""
        self.video_end = Fraction(0)
        """Latest end of a video packet seen, in seconds from zero."""

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    @property
    def jumps(self) -> int:
        """How often the input's clock started anew."""
        return self._times.jumps

    def stop(self) -> None:
        """Let the packets end at the next one."""
        self._stopped.set()

    def close(self) -> None:
        """Release the container, after a read in progress."""
        self._stopped.set()
        with self._lock:
            self._container.close()

    def packets(self) -> Iterator[Packet]:
        """Packets of all streams; may be taken up again after it was left."""
        # A damaged packet is held until the video goes on. One that ends the file is its torn edge:
        # decoded with frame threads it would take the good frames still in flight with it.
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
    """Whether this is one of the empty packets that PyAV gives for every stream at the end."""
    return packet.size == 0 and packet.pts is None and packet.dts is None
