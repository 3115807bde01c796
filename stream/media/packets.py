"""Packets of an input in their stored order, with times from zero, until it ends, fails or is stopped."""

import re
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, cast

import av

from .probe import start_of
from .reading.discontinuities import ContinuousTimes
from .reading.ffmpeg_log import recorded_log
from .reading.timestamps import in_units, unit_for
from .source_info import Damage

if TYPE_CHECKING:
    Packet = av.Packet[Any]
else:
    Packet = av.Packet  # generic in PyAV's type stubs alone

CLOCK_MAY_LEAP: Final = 0x200
"""FFmpeg's AVFMT_TS_DISCONT: broadcast formats, whose clocks are not the recording's own."""
NO_TIMESTAMPS: Final = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS: formats of raw streams."""
MAX_AHEAD: Final = 256
"""Packets that are read ahead of the video's first one that has a time."""
_DESCRIBED_STREAM: Final = re.compile(r"^ *Stream #0:(\d+)[^:]*: (.*)$", re.MULTILINE)


def demux(container: av.container.InputContainer, streams: Sequence[Any]) -> Iterator[Packet]:
    """The packets of ``streams`` in their stored order, until the input ends. Raises FFmpeg's errors.

    PyAV lists the streams when its own iteration begins, and at its end reads past that list if FFmpeg has found
    another stream by then. So it is begun anew for each packet, and left where its end begins.
    """
    while True:
        step: Any = container.demux(streams)
        try:
            packet = next(step, None)
        finally:
            step.close()
        if packet is None or _is_end(packet):
            return
        yield packet


def _is_end(packet: Packet) -> bool:
    """Whether this is one of the packets without data or place that PyAV gives for each stream at the end."""
    return packet.size == 0 and packet.pts is None and packet.dts is None and packet.pos is None


def late_streams(container: av.container.InputContainer) -> tuple[str, ...]:
    """The streams that FFmpeg found only while reading, as it describes them; PyAV gives none of their packets."""
    with recorded_log(av.logging.INFO):  # FFmpeg describes an input in its log alone
        described = cast(Any, container).dumps_format()
    known = len(container.streams)
    return tuple(text for index, text in _DESCRIBED_STREAM.findall(described) if int(index) >= known)


def late_stream_warning(stream: str) -> str:
    """What a user should know of one of them."""
    return (
        f"A stream appears only in mid-file and is left out ({stream}). To take it, raise the option "
        "input.analyzeduration, and the option input.probesize with it, until they reach it."
    )


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
        """``origin``: the time that becomes zero, in seconds of the input's clock.

        Where that is the input's start, and the video begins before it, the video's first frame is at zero.
        """
        self._container, self._video, self._damage = container, video, damage
        self.failure: Exception | None = None
        """The error that ended the reading, if any did."""
        self._demuxed = demux(container, [video, *others])
        self._ahead, first = self._beginning()
        self.origin = origin if first is None or origin != start_of(container) else min(origin, first)
        """The time that is zero, in seconds of the input's clock."""
        may_leap = bool(container.format.flags & CLOCK_MAY_LEAP)
        assert video.time_base is not None
        self.video_unit = unit_for(video.time_base, self.origin)
        """Unit of the video's times, in seconds."""
        self._units_in_one = int(video.time_base / self.video_unit)
        self.times = ContinuousTimes(self.origin, video=video.index, joins_leaps=may_leap)
        """Tells where the input's clock stepped."""
        self._ready: deque[Packet] = deque()
        self._lock, self._stopped = threading.Lock(), threading.Event()
        self.video_end = Fraction(0)
        """Latest end of a video packet so far, in seconds from zero."""

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the packets at the next one."""
        self._stopped.set()

    def close(self) -> None:
        """Release the container, once a read in progress has returned."""
        self._stopped.set()
        with self._lock:
            self._container.close()

    def late_streams(self) -> tuple[str, ...]:
        """The streams that appeared in what was read so far, each in a few words; empty after ``close``."""
        with self._lock:
            return () if self._stopped.is_set() else late_streams(self._container)

    def packets(self) -> Iterator[Packet]:
        """Packets of all streams; a new iteration continues where the last one stopped."""
        # A damaged packet is held until the next of the video. If none follows, it is where the file was cut off;
        # with frame threads, its error would discard the good frames that are still being decoded.
        held: Packet | None = None
        for packet in self._timed():
            if packet.stream.index == self._video.index:
                self._note_end(packet)
                if packet.size == 0:
                    continue  # stored where the frame before is shown on
                if held is not None:
                    yield held
                held = packet if packet.is_corrupt else None
            if packet is not held:
                yield packet
        if held is not None and not self.stopped:
            self._damage.packets += 1
            self._damage.truncated = True

    def _timed(self) -> Iterator[Packet]:
        """The packets with times from zero."""
        while not self.stopped:
            if self._ready:
                yield self._ready.popleft()
                continue
            packet = self._next()
            if packet is not None and packet.stream.index == self._video.index and self._units_in_one > 1:
                _refine(packet, self._units_in_one, self.video_unit)
            self._ready.extend(self.times.flush() if packet is None else self.times.put(packet))
            if packet is None and not self._ready:
                return

    def _next(self) -> Packet | None:
        """The next packet, ``None`` at the end."""
        with self._lock:
            if self._stopped.is_set():
                return None
            return self._ahead.popleft() if self._ahead else self._demux()

    def _demux(self) -> Packet | None:
        try:
            return next(self._demuxed, None)
        except (av.FFmpegError, OSError) as error:
            self.failure = error
            self._damage.truncated = True
            return None

    def _beginning(self) -> tuple[deque[Packet], Fraction | None]:
        """The first packets; if the video's first has no time, as below Matroska's zero, it gets one, in seconds here.

        It lies as many frames before the first that has one as there are between, else at the input's start.
        """
        read: deque[Packet] = deque()
        untimed: list[Packet] = []
        first = start_of(self._container)
        while len(read) < MAX_AHEAD and (packet := self._demux()) is not None:
            read.append(packet)
            if packet.stream.index != self._video.index:
                continue
            if packet.pts is None and packet.dts is None:
                untimed.append(packet)
            if packet.dts is not None or self._container.format.flags & NO_TIMESTAMPS:
                break  # times of decoding are known when those of presentation are in order
        times = [packet.pts for packet in read if packet.stream.index == self._video.index and packet.pts is not None]
        if not untimed:
            return read, None
        unit = untimed[0].time_base
        if times:
            first = (min(times) - sum(packet.duration or 0 for packet in untimed)) * unit
        untimed[0].pts = untimed[0].dts = in_units(first, unit)
        return read, first

    def _note_end(self, packet: Packet) -> None:
        if packet.pts is not None:
            self.video_end = max(self.video_end, (packet.pts + (packet.duration or 0)) * packet.time_base)


def _refine(packet: Packet, units: int, unit: Fraction) -> None:
    """Count the packet's times in a unit of which its own has so many, in place."""
    packet.time_base = unit
    if packet.pts is not None:
        packet.pts *= units
    if packet.dts is not None:
        packet.dts *= units
    packet.duration = (packet.duration or 0) * units
