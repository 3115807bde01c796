"""One continuous timeline for a live video, however its inputs' timestamps jump."""

from fractions import Fraction
from typing import Any, Final

import av

from ..media.reading.timestamps import in_units

MAX_STEP_S: Final = 2.0
"""Where a packet is further ahead of the one before than this plus the time that has passed, its clock has jumped."""
TICK: Final = Fraction(1, 90_000)
"""Unit of all times on the timeline, in seconds."""


class MediaClock:
    """Shifts the timestamps of an input's packets by one offset, so that their distances stay.

    The offset is computed anew where an input starts and where its clock jumps: that packet's time is then the one
    before plus the time that has passed since. So the timeline never runs back, and a gap is as long on it as it was
    in reality. Monotonic times are passed in, in seconds.
    """

    def __init__(self) -> None:
        self._offset: Fraction | None = None
        self._recording = False
        self._last: Fraction | None = None
        """Decoding time of the latest packet, on the input's clock."""
        self._position = Fraction(0)
        """Where the timeline was at the latest packet,"""
        self._position_at: float | None = None
        """and when that was, on the monotonic clock."""

    def begin(self, *, recording: bool = False) -> None:
        """The next packet comes from another input, or from the same one opened again.

        Gaps in a ``recording`` are pauses, however long they are and however fast it is read.
        """
        self._offset, self._last, self._recording = None, None, recording

    def place(self, packet: "av.Packet[Any]", now: float) -> None:
        """Shift a video packet that was received at ``now``; packets come in decoding order."""
        if packet.dts is None and packet.pts is None:
            # RTSP starts with such a packet: it says nothing about the input's clock, so it sets no offset.
            self._position, self._position_at = self.at(now), now
            packet.pts = in_units(self._position, packet.time_base)
            return
        time = packet.dts if packet.dts is not None else packet.pts
        assert time is not None
        seconds = time * packet.time_base
        if self._offset is None or (packet.dts is not None and self._jumps(seconds, now)):
            self._offset = self.at(now) - seconds
        self._position, self._position_at = max(self._position, seconds + self._offset), now
        if packet.dts is not None:  # presentation times are not in order
            self._last = seconds
        self.shift(packet)

    def shift(self, packet: "av.Packet[Any]") -> bool:
        """Shift a packet of another stream by the video's offset; ``False`` while there is none."""
        if self._offset is None:
            return False
        offset = in_units(self._offset, packet.time_base)
        if packet.pts is not None:
            packet.pts += offset
        if packet.dts is not None:
            packet.dts += offset
        return True

    def at(self, now: float) -> Fraction:
        """The position on the timeline at a monotonic time."""
        if self._position_at is None:
            return self._position
        return self._position + Fraction(now - self._position_at).limit_denominator(1_000_000)

    def _jumps(self, seconds: Fraction, now: float) -> bool:
        if self._last is None:
            return False
        assert self._position_at is not None
        step = seconds - self._last
        return step < 0 or (not self._recording and step > MAX_STEP_S + now - self._position_at)
