"""One timeline for a live picture, whatever its inputs' own clocks do."""

from fractions import Fraction
from typing import Any, Final

import av

from ..media.timestamps import in_units

LONGEST_STEP_S: Final = 2.0
"""A packet that is further ahead of the one before than this, and than the time that has passed, starts a new count."""
TICK: Final = Fraction(1, 90_000)
"""Unit of all times that leave the clock, in seconds."""


class MediaClock:
    """Moves the times of an input's packets by one offset, so that their distances stay.

    The offset is found anew where an input begins, and where its clock jumps: that packet's time is then the one
    before it and what has passed since. So the timeline never runs back, and a break takes as long in it as it took
    in truth. Monotonic times are passed in, in seconds.
    """

    def __init__(self) -> None:
        self._offset: Fraction | None = None
        self._recording = False
        self._last: Fraction | None = None
        """Decoding time of the latest packet, on the input's clock."""
        self._at = Fraction(0)
        """Where the timeline was with the latest packet,"""
        self._when: float | None = None
        """and when that was, on the monotonic clock."""

    def begin(self, *, recording: bool = False) -> None:
        """Another input, or the same again, is what the next packet comes from.

        The gaps in a ``recording`` are pauses, however long and however fast it is read.
        """
        self._offset, self._last, self._recording = None, None, recording

    def place(self, packet: "av.Packet[Any]", now: float) -> None:
        """Move a packet of the picture, which came at ``now``; packets come in decoding order."""
        if packet.dts is None and packet.pts is None:
            # As the first one of RTSP: it tells nothing of the input's clock, so the offset is not found by it.
            self._at, self._when = self.now(now), now
            packet.pts = in_units(self._at, packet.time_base)
            return
        time = packet.dts if packet.dts is not None else packet.pts
        assert time is not None
        seconds = time * packet.time_base
        if self._offset is None or (packet.dts is not None and self._jumps(seconds, now)):
            self._offset = self.now(now) - seconds
        self._at, self._when = max(self._at, seconds + self._offset), now
        if packet.dts is not None:  # times of showing go to and fro
            self._last = seconds
        self.shift(packet)

    def shift(self, packet: "av.Packet[Any]") -> bool:
        """Move a packet of another stream by the picture's offset; ``False`` while there is none."""
        if self._offset is None:
            return False
        offset = in_units(self._offset, packet.time_base)
        if packet.pts is not None:
            packet.pts += offset
        if packet.dts is not None:
            packet.dts += offset
        return True

    def now(self, now: float) -> Fraction:
        """Where the timeline is."""
        return self._at if self._when is None else self._at + Fraction(now - self._when).limit_denominator(1_000_000)

    def _jumps(self, seconds: Fraction, now: float) -> bool:
        if self._last is None:
            return False
        assert self._when is not None
        step = seconds - self._last
        return step < 0 or (not self._recording and step > LONGEST_STEP_S + now - self._when)
