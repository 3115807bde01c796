"""One opened live input: its packets placed in time, its pictures decoded, nothing waited for."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.codec.context import Flags

from emocolor.errors import SourceError
from emocolor.frames import PIXEL_FORMATS, Frame
from stream.media import stream_facts
from stream.media.frames import ColorTags, color_of, convert, to_working_format, working_format, wrap
from stream.media.locations import open_failure, reason_of
from stream.media.packets import Packet

from ..audio import AudioFormat, AudioPacket
from ..media_clock import TICK, MediaClock
from .inputs import LiveInput

UNTIMED_FORMATS: Final = frozenset({"mpjpeg", "mjpeg"})
"""Inputs without times of their own; FFmpeg would count them at 25 a second, whatever their rate."""
SEGMENT_FORMATS: Final = frozenset({"hls", "dash"})
"""Inputs that come in pieces, each faster than it plays."""
USUAL_RATE: Final = Fraction(30)
FASTEST_RATE: Final = 120
LATE_S, VERY_LATE_S, CAUGHT_UP_S = 0.5, 1.5, 0.2
"""How far behind the decoder leaves pictures out that no other needs, then all but key frames, and when no more."""
WAITED_S: Final = 0.003
"""A reader that had to wait so long for data has taken all there was."""


@dataclass(frozen=True)
class Captured:
    """A decoded picture and when its data came in, on the monotonic clock."""

    frame: Frame
    received_at: float


class Connection:
    """An input from opening to its end; for one thread, but for ``close``'s flag.

    Pictures come upright, tagged with their colours, in units of ``TICK``; an input that has a length, or that comes
    in pieces, comes at its own pace, all others as they are sent.
    """

    def __init__(
        self, source: LiveInput, clock: MediaClock, *, skipped: Callable[[int], None] = lambda packets: None
    ) -> None:
        """Open it; ``skipped`` is told of packets that were not decoded because the decoder was too slow.

        Raises ``SourceError`` with one line that says what to do.
        """
        self._source, self._clock, self._skipped = source, clock, skipped
        self._stopped = threading.Event()
        self._container = _open(source)
        try:
            self._video = self._main_video()
            sound = next((one for one in self._container.streams.audio if one.codec_context is not None), None)
            self._sound = sound
            self.sound = None if sound is None else AudioFormat.of(sound)
            """The form of its first stream of sound, if it has any."""
        except BaseException:
            self._container.close()
            raise
        name = self._container.format.name
        self._untimed = name in UNTIMED_FORMATS and source.kind != "file"
        self.has_end = source.kind == "file" or bool(self._container.duration)
        """Whether it is a recording, which ends by itself."""
        self._pace = _Pace() if self.has_end or name in SEGMENT_FORMATS else None
        self._lag = Lag()
        clock.begin(recording=self._pace is not None)

    @property
    def rate(self) -> Fraction:
        """Frames a second, nominal; the usual where the input does not say."""
        rate = stream_facts.frame_rate_of(self._video)
        return rate if rate and rate <= FASTEST_RATE else USUAL_RATE

    @property
    def summary(self) -> str:
        """What it is, in a few words."""
        context = self._video.codec_context
        sound = "" if self.sound is None else f", {self.sound.codec} sound"
        return f"{context.codec.canonical_name} {context.width}x{context.height}, {float(self.rate):.4g} fps{sound}"

    def read(self) -> Iterator[Captured | AudioPacket]:
        """Pictures and sound as they come, until the input ends or ``stop``.

        Raises ``SourceError`` where it breaks off.
        """
        streams: list[Any] = [self._video] if self._sound is None else [self._video, self._sound]
        packets = self._container.demux(streams)
        asked = time.monotonic()
        while not self._stopped.is_set() and (packet := self._next(packets)) is not None:
            now = time.monotonic()
            self._lag.waited(now - asked)
            if packet.stream.index == self._video.index:
                yield from self._pictures(packet, now)
            elif (sound := self._sound_of(packet)) is not None:
                yield sound
            asked = time.monotonic()
        if not self._stopped.is_set():
            yield from self._decoded(None, time.monotonic())

    def stop(self) -> None:
        """Let ``read`` end at its next packet; from any thread."""
        self._stopped.set()

    def close(self) -> None:
        """Release the input; by the thread that reads, or when none does."""
        self._stopped.set()
        self._container.close()

    def _main_video(self) -> av.VideoStream:
        stream = stream_facts.main_video(self._container)
        if stream is None:
            raise SourceError(f"{self._source.shown} has no video that can be decoded. Give one with moving pictures.")
        # A thread for each frame would hold back as many frames as there are threads.
        stream.thread_type = "SLICE"
        stream.codec_context.flags |= Flags.low_delay
        return stream

    def _next(self, packets: Iterator[Packet]) -> Packet | None:
        """The next packet with data, ``None`` at the end."""
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            raise self._broke_off(error) from error
        return packet if packet is not None and packet.size else None

    def _broke_off(self, error: Exception) -> SourceError:
        if isinstance(error, av.error.ExitError):
            return SourceError(f"{self._source.shown} sent nothing for {self._source.silence_s:g} s.")
        return SourceError(f"{self._source.shown} broke off: {reason_of(error)}.")

    def _pictures(self, packet: Packet, now: float) -> Iterator[Captured]:
        if self._untimed:
            packet.pts = packet.dts = round(now / packet.time_base)
        self._clock.place(packet, now)
        if self._pace is None and packet.dts is not None:
            self._keep_up(float(packet.dts * packet.time_base), now)
        yield from self._decoded(packet, now)

    def _decoded(self, packet: Packet | None, now: float) -> Iterator[Captured]:
        try:
            pictures = self._video.codec_context.decode(packet)
        except (av.FFmpegError, OSError, ValueError):
            return  # a damaged packet, or the middle of a group before the first key frame
        if not pictures and self._video.codec_context.skip_frame != "DEFAULT":
            self._skipped(1)
        for picture in pictures:
            frame = self._frame(picture, now)
            if self._pace is not None:
                now = self._pace.wait(frame.time, self._stopped)
            yield Captured(frame, now)

    def _frame(self, picture: av.VideoFrame, now: float) -> Frame:
        timed = picture.pts is not None and picture.time_base is not None
        seconds = Fraction(picture.pts or 0) * (picture.time_base or 0) if timed else self._clock.now(now)
        form, _ = working_format(picture.format.name)
        rotation = stream_facts.rotation_of(picture, stream_facts.display_matrix_of(picture))
        aspect = self._video.sample_aspect_ratio or Fraction(1)
        picture = to_working_format(picture, form, (picture.width, picture.height))
        # A guess that goes by the size must not change when the picture is made smaller.
        ColorTags.for_spec(color_of(picture)).put(picture)
        if rotation:
            picture, aspect = _turned(picture, rotation), aspect if rotation == 180 else 1 / aspect
        return wrap(picture, pts=round(seconds / TICK), time_base=TICK, duration=0, sample_aspect=aspect)

    def _sound_of(self, packet: Packet) -> AudioPacket | None:
        assert self.sound is not None
        return AudioPacket.of(packet, self.sound) if self._clock.shift(packet) else None

    def _keep_up(self, media_time: float, now: float) -> None:
        """Let the decoder leave pictures out while it is behind."""
        lag, context = self._lag.update(media_time, now), self._video.codec_context
        if lag > VERY_LATE_S:
            context.skip_frame = "NONKEY"
        elif lag > LATE_S and context.skip_frame == "DEFAULT":
            context.skip_frame = "NONREF"
        elif lag < CAUGHT_UP_S:
            context.skip_frame = "DEFAULT"


class Lag:
    """How far a reader is behind what was sent: what it leaves waiting in the buffers of others."""

    def __init__(self) -> None:
        self._least: float | None = None
        self._caught_up = False

    def waited(self, seconds: float) -> None:
        """The reader waited so long for what it reads next."""
        self._caught_up = self._caught_up or seconds >= WAITED_S

    def update(self, media_time: float, now: float) -> float:
        """Take a packet of that time, which is read now; the lag in seconds, 0 where nothing is left waiting.

        Measured from the delay when nothing was: a network that becomes slower makes a picture late, but no lag.
        """
        delay = now - media_time
        if self._least is None or self._caught_up or delay < self._least:
            self._least, self._caught_up = delay, False
        return delay - self._least


class _Pace:
    """Holds pictures back until their time."""

    def __init__(self) -> None:
        self._ahead = -math.inf
        """Media time less monotonic time where a picture is due."""

    def wait(self, media_time: float, stopped: threading.Event) -> float:
        """Wait until the picture of ``media_time`` is due, or ``stopped``; the monotonic time then.

        A picture that comes too late is not made up for: those after it keep their distance to it.
        """
        now = time.monotonic()
        due = media_time - self._ahead
        if due > now and not math.isinf(due):
            stopped.wait(due - now)
            return time.monotonic()
        self._ahead = media_time - now
        return now


def _open(source: LiveInput) -> av.container.InputContainer:
    failure: SourceError | None = None
    for options in source.options:
        try:
            return av.open(
                source.location,
                "r",
                format=source.format,
                container_options=dict(options),
                timeout=source.silence_s,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            failure = _failure(source, error)
            failure.__cause__ = error
    assert failure is not None
    raise failure


def _failure(source: LiveInput, error: Exception) -> SourceError:
    if source.kind != "camera":
        return open_failure(source.location, error)
    if isinstance(error, PermissionError):
        what = "permission denied; add yourself to the group that owns it, mostly 'video'"
    elif isinstance(error, FileNotFoundError):
        what = "it is gone"
    else:
        what = f"{reason_of(error)}; another program may use it, or it lacks the size or rate that was asked for"
    return SourceError(f"Cannot open the camera {source.location}: {what}.")


def _turned(picture: av.VideoFrame, degrees: int) -> av.VideoFrame:
    """The picture turned clockwise, as 8-bit 4:2:0, with its colour tags."""
    tags, flat = ColorTags.of(picture), convert(picture, color_of(picture), "yuv420p")
    form, sideways = PIXEL_FORMATS["yuv420p"], degrees != 180
    made = av.VideoFrame(*((flat.height, flat.width) if sideways else (flat.width, flat.height)), form.name)
    before, after = wrap(flat), wrap(made)
    for plane, target in zip(before.planes, after.planes, strict=True):
        np.copyto(target, np.rot90(plane, -degrees // 90))
    tags.put(made)
    return made
