"""Times of an input: one origin for all its streams, gaps and repeats in the video's fixed."""

from fractions import Fraction
from typing import Any, Final

import av

JUMP_SECONDS: Final = 1
"""A step back in decoding time beyond this is a new start of the clock, as in joined broadcast files."""


def in_units(seconds: Fraction, time_base: Fraction) -> int:
    """``seconds`` in units of ``time_base``, to the nearest."""
    return round(seconds / time_base)


class PacketTimes:
    """Shifts the packets of all streams by one origin, so that the input starts at zero.

    Where the video's decoding time jumps back, everything after it is moved on to follow what came
    before.
    """

    def __init__(self, origin: Fraction) -> None:
        self._origin = origin
        self._last_dts: Fraction | None = None
        self.jumps = 0

    def shift(self, packet: "av.Packet[Any]", *, is_video: bool) -> None:
        """Change the packet's times in place."""
        if is_video and packet.dts is not None:
            self._watch(packet)
        offset = in_units(self._origin, packet.time_base)
        if packet.pts is not None:
            packet.pts -= offset
        if packet.dts is not None:
            packet.dts -= offset

    def _watch(self, packet: "av.Packet[Any]") -> None:
        assert packet.dts is not None
        dts = packet.dts * packet.time_base - self._origin
        step = (packet.duration or 0) * packet.time_base
        if self._last_dts is not None and dts < self._last_dts - JUMP_SECONDS:
            self.jumps += 1
            self._origin -= self._last_dts - dts
            dts = self._last_dts
        self._last_dts = dts + step


class FrameTimes:
    """Gives every frame a time: missing ones from the frame rate, and each later than the one before.

    With ``by_decoding`` the frames' presentation times are not believed: containers without any,
    such as AVI, get them from FFmpeg in the wrong order. Decoding times rise with the frames, late
    by the decoder's delay.
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction | None, *, by_decoding: bool = False) -> None:
        self.time_base, self.frame_rate = time_base, frame_rate
        self.repaired = 0
        """Times that were not later than the one before."""
        self._by_decoding = by_decoding
        self._first_decoded: int | None = None
        self._delay: int | None = None
        self._last: int | None = None

    def note_packet(self, packet: "av.Packet[Any]") -> None:
        """Take notice of a packet before it is decoded."""
        if self._first_decoded is None:
            self._first_decoded = packet.dts

    def place(self, frame: av.VideoFrame) -> int:
        """The frame's time in units of ``time_base``; frames must come in order."""
        time = self._decoding_time(frame) if self._by_decoding else frame.pts
        if time is None:
            time = 0 if self._last is None else self._last + self.step
        elif self._last is not None and time <= self._last:
            self.repaired += 1
            time = self._last + 1
        self._last = time
        return time

    def _decoding_time(self, frame: av.VideoFrame) -> int | None:
        if frame.dts is None:
            return None
        if self._delay is None:
            self._delay = frame.dts - (self._first_decoded or 0)
        return frame.dts - self._delay

    @property
    def step(self) -> int:
        """Units from frame to frame at the nominal rate, 25 a second where that is unknown."""
        return max(1, in_units(1 / (self.frame_rate or Fraction(25)), self.time_base))
