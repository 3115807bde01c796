"""Joins the parts of an input whose clock starts anew or leaps, as in concatenated or interrupted broadcast recordings.

Times of all streams are counted from one origin. Where the clock of the video steps back, or leaps ahead together with
that of the audio, a new origin lets the video continue where it was. Streams pass such a place at different packets, so
each packet gets the origin by which its own stream continues.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from .timestamps import in_units

STEP_BACK_SECONDS: Final = 1
"""A step back in decoding time of more than this is a restart of the clock."""
LEAP_SECONDS: Final = 10
"""A step ahead of more than this is a leap: lost packets leave shorter holes. FFmpeg's command has the same limit."""
PATIENCE_SECONDS: Final = 2
"""How much later in the input the other streams may pass the same place."""
MAX_HELD_BYTES: Final = 64 << 20
"""Bounds memory while it is unknown whether all streams leap."""
CONSISTENT_PACKETS: Final = 2
"""After so many packets of the video a step is one of the clock; a single one has a damaged time."""
DENSE: Final = frozenset({"video", "audio"})
"""Streams whose packets follow one another without gaps, as those of subtitles do not."""


@dataclass(frozen=True, kw_only=True)
class Leap:
    """A place where an input's clock leaps ahead."""

    at: Fraction
    """In seconds from the origin."""
    length: Fraction
    """In seconds."""


@dataclass(kw_only=True)
class _Position:
    """Where one stream is, in its own unit, so that ordinary packets cost no fractions."""

    unit: Fraction
    seconds_per_unit: float
    """The same."""
    end: int
    """Of its latest packet, by the input's clock."""
    origin: Fraction
    """Of its latest packet, in seconds."""
    offset: int
    """The same, in units."""

    @property
    def expected(self) -> Fraction:
        """Where its next packet begins, in seconds from zero."""
        return self.end * self.unit - self.origin


class _Passage:
    """One stream's packets while they are held, by the origin before: which continue, and which step?"""

    def __init__(self, expected: Fraction, *, may_leap: bool) -> None:
        self._may_leap = may_leap
        self.start = self.expected = expected
        """End of the latest packet that continues, now and when the first was held."""
        self.stepped_to: Fraction | None = None
        """The first packet that does not continue."""
        self.stepped = 0
        """How many of them there are."""
        self.returned = False
        """Whether a packet continues after one that did not."""
        self._last = expected

    def note(self, time: Fraction, duration: Fraction) -> None:
        """Note the next packet."""
        if _continues(time - self.expected, may_leap=self._may_leap):
            self.expected = time + duration
            self.returned = self.stepped > 0
        else:
            self.stepped_to = time if self.stepped_to is None else self.stepped_to
            self.stepped += 1
            self._last = time + duration

    @property
    def step(self) -> Fraction:
        """How far the first packet that does not continue lies from where it would; 0 where all do."""
        return Fraction(0) if self.stepped_to is None else self.stepped_to - self.expected

    @property
    def continued(self) -> Fraction:
        """Seconds of packets that continue."""
        return self.expected - self.start

    @property
    def held(self) -> Fraction:
        """Seconds of packets that are held."""
        return self.continued + (Fraction(0) if self.stepped_to is None else self._last - self.stepped_to)


class ContinuousTimes:
    """Gives packets times from an origin that continue across restarts and leaps of the input's clock.

    Packets go in and come out in their stored order. At a step of the clock they are held until it is known whether it
    is one of all streams: then it is cut out, else it is a hole in one stream, which stays.
    """

    def __init__(
        self, origin: Fraction, *, video: int, joins_leaps: bool = True, max_held_bytes: int = MAX_HELD_BYTES
    ) -> None:
        """``origin``: the time that becomes zero, in seconds of the input's clock. ``video``: the video stream's index.

        ``joins_leaps``: cut leaps ahead out, as is right where the format's clock may leap; else they are pauses.
        """
        self._origin, self._video, self._joins_leaps = origin, video, joins_leaps
        self._before: Fraction | None = None
        """The origin before the latest step."""
        self._positions: dict[int, _Position] = {}
        """Of the dense streams, by their indices."""
        self._held: list[av.Packet[Any]] = []
        self._held_bytes, self._max_held_bytes = 0, max_held_bytes
        self._passages: dict[int, _Passage] = {}
        self.restarts = 0
        """How often the clock stepped back."""
        self.joined: list[Leap] = []
        """Leaps that were cut out."""
        self.pause: Leap | None = None
        """The longest leap of the video that stays."""
        self.outliers = 0
        """Packets whose times were dropped, since those before and after agree with each other alone."""

    def put(self, packet: "av.Packet[Any]") -> "list[av.Packet[Any]]":
        """Take a packet; those that are ready, with their times changed in place."""
        if not self._held:
            if self._goes_on(packet):
                return [packet]
            if self._fits(packet):
                return [self._accepted(packet)]
        self._held.append(packet)
        self._held_bytes += packet.size
        self._note(packet)
        return self._release() if self._is_decided() else []

    def flush(self) -> "list[av.Packet[Any]]":
        """The packets still held, at the end."""
        return self._release() if self._held else []

    def _goes_on(self, packet: "av.Packet[Any]") -> bool:
        """Shift a packet that continues its stream by the present origin, as nearly all do; whether it was one."""
        position = self._positions.get(packet.stream.index)
        dts, pts = packet.dts, packet.pts
        if position is None or dts is None or position.origin is not self._origin:
            return False
        step = (dts - position.end) * position.seconds_per_unit
        if not -STEP_BACK_SECONDS <= step <= LEAP_SECONDS:
            return False
        position.end = dts + (packet.duration or 0)
        packet.dts = dts - position.offset
        if pts is not None:
            packet.pts = pts - position.offset
        return True

    def _fits(self, packet: "av.Packet[Any]") -> bool:
        """Whether it continues its stream, by the present origin or, a little late, by the one before."""
        index = packet.stream.index
        if packet.dts is None or index not in self._positions:
            return True
        return _continues(self._time(packet) - self._positions[index].expected, may_leap=self._joins_leaps)

    def _note(self, packet: "av.Packet[Any]") -> None:
        """Note a packet that is held."""
        index = packet.stream.index
        if packet.dts is None or index not in self._positions:
            return
        if index not in self._passages:
            self._passages[index] = _Passage(self._positions[index].expected, may_leap=self._joins_leaps)
        self._passages[index].note(self._time(packet), _duration(packet))

    def _is_decided(self) -> bool:
        """Whether the held packets suffice to know what the step was."""
        passages, video = self._passages.values(), self._passages.get(self._video)
        if any(passage.returned for passage in passages) or self._held_bytes >= self._max_held_bytes:
            return True
        if video is not None and video.stepped >= CONSISTENT_PACKETS and (video.step < 0 or self._others_stepped()):
            return True
        return self._others_go_on() or any(
            passage.continued > PATIENCE_SECONDS or passage.held > 2 * PATIENCE_SECONDS for passage in passages
        )

    def _others_stepped(self) -> bool:
        """Whether every stream beside the video stepped that was running."""
        latest = self._positions[self._video].expected - PATIENCE_SECONDS
        others = ((index, position) for index, position in self._positions.items() if index != self._video)
        running = (index for index, position in others if position.expected > latest)
        return all(index in self._passages and self._passages[index].stepped > 0 for index in running)

    def _others_go_on(self) -> bool:
        """Whether another stream continues where the video leaps ahead: then it is a hole in the video."""
        video = self._passages.get(self._video)
        if video is None or video.step <= 0:
            return False
        ends = {index: position.expected for index, position in self._positions.items()}
        ends |= {index: passage.expected for index, passage in self._passages.items()}
        return any(end > video.expected + PATIENCE_SECONDS for index, end in ends.items() if index != self._video)

    def _release(self) -> "list[av.Packet[Any]]":
        """Decide what the step was; the held packets."""
        held, passages, is_hole = self._held, self._passages, self._others_go_on()
        self._held, self._held_bytes, self._passages = [], 0, {}
        for index, passage in passages.items():
            if passage.returned:
                self._drop_outliers(held, index, passage.start)
        video = passages.get(self._video)
        if video is None or video.step == 0 or video.returned or is_hole:
            return [self._accepted(packet) for packet in held]
        self._continue_video(video)
        return [ready for packet in held for ready in self.put(packet)]

    def _continue_video(self, video: _Passage) -> None:
        """Move the origin so that the video continues where it stepped."""
        if video.step < 0:
            self.restarts += 1
        else:
            self.joined.append(Leap(at=video.expected, length=video.step))
        self._before, self._origin = self._origin, self._origin + video.step

    def _drop_outliers(self, held: "list[av.Packet[Any]]", index: int, expected: Fraction) -> None:
        """Drop the times of a stream's packets that do not continue it though those after them do."""
        for packet in held:
            if packet.stream.index != index or packet.dts is None:
                continue
            if _continues(self._time(packet) - expected, may_leap=self._joins_leaps):
                expected = self._time(packet) + _duration(packet)
            else:
                packet.pts = packet.dts = None
                self.outliers += 1

    def _accepted(self, packet: "av.Packet[Any]") -> "av.Packet[Any]":
        """The packet with its new times."""
        origin = self._origin_of(packet)
        offset = in_units(origin, packet.time_base)
        if packet.dts is not None and packet.stream.type in DENSE:
            self._move(packet, origin, offset)
        if packet.pts is not None:
            packet.pts -= offset
        if packet.dts is not None:
            packet.dts -= offset
        return packet

    def _move(self, packet: "av.Packet[Any]", origin: Fraction, offset: int) -> None:
        """Note where the packet's stream is then; its times are still those of the input."""
        assert packet.dts is not None
        index, unit = packet.stream.index, packet.time_base
        if index == self._video and index in self._positions:
            at = self._positions[index].expected
            length = packet.dts * unit - origin - at
            if length > LEAP_SECONDS and (self.pause is None or length > self.pause.length):
                self.pause = Leap(at=at, length=length)
        self._positions[index] = _Position(
            unit=unit,
            seconds_per_unit=float(unit),
            end=packet.dts + (packet.duration or 0),
            origin=origin,
            offset=offset,
        )

    def _time(self, packet: "av.Packet[Any]") -> Fraction:
        """When it is decoded, in seconds from zero."""
        assert packet.dts is not None
        return packet.dts * packet.time_base - self._origin_of(packet)

    def _origin_of(self, packet: "av.Packet[Any]") -> Fraction:
        """The present origin or, until its stream has passed the step, the one before if that fits better."""
        before, position = self._before, self._positions.get(packet.stream.index)
        if packet.dts is None or before is None or (position and position.origin is self._origin):
            return self._origin
        position = position or (None if packet.stream.type in DENSE else self._positions.get(self._video))
        if position is None:
            return self._origin
        seconds, expected = packet.dts * packet.time_base, position.expected
        return min((self._origin, before), key=lambda origin: abs(seconds - origin - expected))


def _continues(step: Fraction, *, may_leap: bool) -> bool:
    return step >= -STEP_BACK_SECONDS and (step <= LEAP_SECONDS or not may_leap)


def _duration(packet: "av.Packet[Any]") -> Fraction:
    return (packet.duration or 0) * packet.time_base
