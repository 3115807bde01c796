"""Times for the frames of a video that always increase."""

import math
from fractions import Fraction
from functools import cached_property
from typing import Any, Final

import av

FINE_UNIT: Final = Fraction(1, 1000)
"""Matroska's, in seconds: nobody sees or hears so little."""
MPEG_UNITS: Final = 90_000
"""Units per second of MPEG's clock; all common frame rates are a whole number of them."""


def in_units(seconds: Fraction, time_base: Fraction) -> int:
    """``seconds`` in units of ``time_base``, to the nearest."""
    return round(seconds / time_base)


def unit_for(time_base: Fraction, origin: Fraction) -> Fraction:
    """The unit in which a video's times are counted from ``origin``, both in seconds.

    It is ``time_base`` where that is fine, or divides ``origin``. In formats whose unit is a frame it is a part of it:
    rounded to whole frames, the video would be moved against the audio.
    """
    if time_base <= FINE_UNIT or origin % time_base == 0:
        return time_base
    return time_base / math.ceil(time_base * MPEG_UNITS)


class FrameTimes:
    """Gives every frame a time later than that of the one before; missing times come from the frame rate.

    ``by_decoding`` ignores presentation times: for containers that store none, such as AVI, FFmpeg derives them in the
    wrong order. Decoding times increase from frame to frame and are late by the decoder's delay, which is subtracted.
    ``None`` tells by the packets before the first frame: if frames are reordered, two different times must be there.
    """

    def __init__(self, time_base: Fraction, frame_rate: Fraction | None, *, by_decoding: bool | None = False) -> None:
        self.time_base, self.frame_rate = time_base, frame_rate
        self.repaired = 0
        """How many times were not later than the one before."""
        self.invented = 0
        """How many times were missing."""
        self.by_decoding = by_decoding
        self.decoder_delay: int | None = None
        """How much later than its packet the first frame comes; measured at that frame, unless it is known before."""
        self._first_dts: int | None = None
        self._differ = False
        """Whether a packet had different times of decoding and presentation."""
        self._last_pts: int | None = None

    def note_packet(self, packet: "av.Packet[Any]") -> None:
        """Note a packet before it is decoded."""
        if self._first_dts is None:
            self._first_dts = packet.dts
        self._differ |= packet.pts != packet.dts

    def next_pts(self, av_frame: av.VideoFrame) -> int:
        """The time of the next frame in order, in units of ``time_base``."""
        if self.by_decoding is None:
            is_late = None not in (self._first_dts, av_frame.dts) and av_frame.dts != self._first_dts
            self.by_decoding = is_late and not self._differ
        pts = self._pts_by_decoding(av_frame) if self.by_decoding else av_frame.pts
        if pts is None:
            pts = 0 if self._last_pts is None else self._last_pts + self.step
            self.invented += 1
        elif self._last_pts is not None and pts <= self._last_pts:
            self.repaired += 1
            pts = self._last_pts + 1
        self._last_pts = pts
        return pts

    def _pts_by_decoding(self, av_frame: av.VideoFrame) -> int | None:
        if av_frame.dts is None:
            return None
        if self.decoder_delay is None:
            self.decoder_delay = av_frame.dts - (self._first_dts or 0)
        return av_frame.dts - self.decoder_delay

    @property
    def are_stated(self) -> bool:
        """Whether all times so far are those that the input states for each frame."""
        return not (self.by_decoding or self.repaired or self.invented)

    @cached_property
    def step(self) -> int:
        """Units from frame to frame at the nominal rate, or at 25 frames per second where that is unknown."""
        return max(1, in_units(1 / (self.frame_rate or Fraction(25)), self.time_base))
