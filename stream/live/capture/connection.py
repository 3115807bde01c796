"""One opened live input: its packets are placed on the timeline, its frames decoded with the least latency."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np
from av.codec.context import Flags

from emocolor.errors import SourceError
from emocolor.frames import PIXEL_FORMATS, Frame
from stream.media import probe
from stream.media.frames import ColorTags, color_of, convert, frame_from_av, to_working_format
from stream.media.locations import error_text, open_failure
from stream.media.packets import Packet, demux, late_stream_warning, late_streams
from stream.media.reading.frame_size import decoder_options, is_too_large, limit_frames, too_large

from ..audio import AudioFormat, AudioPacket
from ..clock import SYSTEM_CLOCK, Clock, StopSignal
from ..media_clock import TICK, MediaClock
from .inputs import LiveInput

UNTIMED_FORMATS: Final = frozenset({"mpjpeg", "mjpeg"})
"""Inputs without timestamps; FFmpeg would count them at 25 frames per second, whatever their rate."""
SEGMENT_FORMATS: Final = frozenset({"hls", "dash"})
"""Inputs that come in segments, each faster than it plays."""
RTP_FORMATS: Final = frozenset({"rtsp", "sdp", "rtp"})
"""Inputs whose streams are described before any of them comes."""
DEFAULT_RATE: Final = Fraction(30)
MAX_RATE: Final = 120
SKIP_NONREF_LAG_S, SKIP_NONKEY_LAG_S, CAUGHT_UP_LAG_S = 0.5, 1.5, 0.2
"""From which lag on the decoder skips frames that no other needs, then all but key frames, and when it stops that."""
WAITED_S: Final = 0.003
"""A reader that had to wait this long for data has read all there was."""


LOOK_INTERVAL_S: Final = 10.0
"""Between two looks for streams that have appeared."""


class LoginRefused(SourceError):
    """The server does not let this user in. Trying again with the same password would lock the account."""


@dataclass(frozen=True)
class CapturedFrame:
    """A decoded frame, and when its data came in on the monotonic clock."""

    frame: Frame
    received_at: float


class Connection:
    """An input from opening to its end; used by one thread, but for ``stop``.

    Frames come upright, with colour tags, and timed in ``TICK``. An input that has a length, or that comes in
    segments, is read at its own pace, all others as they are sent.
    """

    def __init__(
        self,
        source: LiveInput,
        media_clock: MediaClock,
        *,
        skipped: Callable[[int], None] = lambda packets: None,
        warn: Callable[[str], None] = lambda warning: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Open it; ``skipped`` gets the number of packets that were not decoded because the decoder was too slow.

        ``warn`` gets what a user should know of it while it is read.

        Raises ``SourceError`` with one line that says what to do.
        """
        self._source, self._media_clock, self._skipped, self._clock = source, media_clock, skipped, clock
        self._warn, self._looked_at = warn, clock.now()
        self._late: set[str] = set()
        self._stop = StopSignal(clock)
        asked_at = clock.now()
        self._container = _open(source)
        try:
            if self._container.format.name in RTP_FORMATS:
                # FFmpeg opens a camera that described its streams and then sent none of them.
                self._check_silence(asked_at)
            self._video = self._main_video()
            known = (stream for stream in self._container.streams.audio if stream.codec_context is not None)
            self._audio = audio = next(filter(probe.is_known, known), None)
            self.audio_format = None if audio is None else AudioFormat.of(audio)
            """That of its first audio stream, if it has any."""
        except BaseException:
            self._container.close()
            raise
        name = self._container.format.name
        self._untimed = name in UNTIMED_FORMATS and source.kind != "file"
        self.has_end = source.kind == "file" or bool(self._container.duration)
        """Whether it is a recording, which ends by itself."""
        self._pace = Pace(clock) if self.has_end or name in SEGMENT_FORMATS else None
        self._lag = Lag()
        media_clock.begin(recording=self._pace is not None)

    @property
    def rate(self) -> Fraction:
        """Nominal frames per second; ``DEFAULT_RATE`` where the input does not tell."""
        rate = probe.frame_rate_of(self._video)
        return rate if rate and rate <= MAX_RATE else DEFAULT_RATE

    @property
    def summary(self) -> str:
        """What it is, in a few words."""
        context = self._video.codec_context
        audio = "" if self.audio_format is None else f", {self.audio_format.codec} audio"
        return f"{context.codec.canonical_name} {context.width}x{context.height}, {float(self.rate):.4g} fps{audio}"

    def read(self) -> Iterator[CapturedFrame | AudioPacket]:
        """Frames and audio as they come, until the input ends or ``stop`` is called.

        Raises ``SourceError`` where it breaks off.
        """
        streams: list[Any] = [self._video] if self._audio is None else [self._video, self._audio]
        packets = demux(self._container, streams)
        asked_at = self._clock.now()
        while not self._stop.is_set() and (packet := self._next(packets, asked_at)) is not None:
            now = self._clock.now()
            self._lag.waited(now - asked_at)
            if packet.stream.index == self._video.index:
                if packet.size > 0:  # an empty packet is stored where the frame before is shown on
                    yield from self._frames_of(packet, now)
            elif (audio := self._audio_of(packet)) is not None:
                yield audio
            asked_at = self._clock.now()
            if asked_at - self._looked_at >= LOOK_INTERVAL_S:
                self._name_late_streams()
        if not self._stop.is_set():
            yield from self._decode(None, self._clock.now())
        self._name_late_streams()

    def _name_late_streams(self) -> None:
        self._looked_at = self._clock.now()
        for stream in late_streams(self._container):
            if stream not in self._late:
                self._late.add(stream)
                self._warn(late_stream_warning(stream))

    def stop(self) -> None:
        """Let ``read`` end at its next packet; from any thread."""
        self._stop.set()

    def close(self) -> None:
        """Release the input; by the thread that reads, or when none does."""
        self._stop.set()
        self._container.close()

    def _main_video(self) -> av.VideoStream:
        stream = probe.main_video(self._container)
        if stream is None:
            raise SourceError(f"{self._source.shown} has no video that can be decoded. Name an input with video.")
        context, limit = stream.codec_context, self._source.max_pixels
        if is_too_large(context, limit):
            raise too_large(self._source.shown, (context.width, context.height), limit)
        limit_frames(context, limit)
        # Frame threads would delay the output by as many frames as there are threads.
        stream.thread_type = "SLICE"
        context.flags |= Flags.low_delay
        return stream

    def _next(self, packets: Iterator[Packet], asked_at: float) -> Packet | None:
        """The next packet, ``None`` at the end."""
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError) as error:
            raise self._broke_off(error) from error
        # Where a read is given up, FFmpeg first hands out what its parsers hold. With RTSP it would wait again.
        self._check_silence(asked_at)
        return packet

    def _check_silence(self, asked_at: float) -> None:
        """Give the input up where a call that began then was given up by FFmpeg, which does not always tell."""
        timeout_s = self._source.timeout_s
        if timeout_s is not None and self._clock.now() - asked_at >= timeout_s:
            raise self._silent()

    def _silent(self) -> SourceError:
        return SourceError(f"{self._source.shown} sent nothing for {self._source.timeout_s:g} s.")

    def _broke_off(self, error: Exception) -> SourceError:
        if isinstance(error, av.error.ExitError):
            return self._silent()
        return SourceError(f"{self._source.shown} broke off: {error_text(error)}.")

    def _frames_of(self, packet: Packet, now: float) -> Iterator[CapturedFrame]:
        if self._untimed:
            packet.pts = packet.dts = round(now / packet.time_base)
        self._media_clock.place(packet, now)
        if self._pace is None and packet.dts is not None:
            self._keep_up(float(packet.dts * packet.time_base), now)
        yield from self._decode(packet, now)

    def _decode(self, packet: Packet | None, now: float) -> Iterator[CapturedFrame]:
        try:
            decoded = self._video.codec_context.decode(packet)
        except (av.FFmpegError, OSError, ValueError):
            self._check_size(self._video.codec_context)
            return  # a damaged packet, or one from before the first key frame
        if not decoded and self._video.codec_context.skip_frame != "DEFAULT":
            self._skipped(1)
        for one in decoded:
            self._check_size(one)
            frame = self._frame(one, now)
            if self._pace is not None:
                now = self._pace.wait(frame.time, self._stop)
            yield CapturedFrame(frame, now)

    def _check_size(self, frame: Any) -> None:
        """Refuse a frame, or what the decoder has read of one, that is too large."""
        if is_too_large(frame, self._source.max_pixels):
            raise too_large(self._source.shown, (frame.width, frame.height), self._source.max_pixels)

    def _frame(self, decoded: av.VideoFrame, now: float) -> Frame:
        timed = decoded.pts is not None and decoded.time_base is not None
        seconds = Fraction(decoded.pts or 0) * (decoded.time_base or 0) if timed else self._media_clock.at(now)
        rotation = probe.rotation_of(decoded, probe.display_matrix_of(decoded))
        aspect = self._video.sample_aspect_ratio or Fraction(1)
        decoded = to_working_format(decoded)
        # Missing tags are guessed from the size, which may change later: so the guess is written down here.
        ColorTags.for_spec(color_of(decoded)).apply_to(decoded)
        if rotation:
            decoded, aspect = _rotated(decoded, rotation), aspect if rotation == 180 else 1 / aspect
        return frame_from_av(decoded, pts=round(seconds / TICK), time_base=TICK, duration=0, sample_aspect=aspect)

    def _audio_of(self, packet: Packet) -> AudioPacket | None:
        assert self.audio_format is not None
        return AudioPacket.of(packet, self.audio_format) if self._media_clock.shift(packet) else None

    def _keep_up(self, media_time: float, now: float) -> None:
        """Let the decoder skip frames while it lags."""
        lag, context = self._lag.update(media_time, now), self._video.codec_context
        if lag > SKIP_NONKEY_LAG_S:
            context.skip_frame = "NONKEY"
        elif lag > SKIP_NONREF_LAG_S and context.skip_frame == "DEFAULT":
            context.skip_frame = "NONREF"
        elif lag < CAUGHT_UP_LAG_S:
            context.skip_frame = "DEFAULT"


class Lag:
    """How far a reader is behind what was sent: how much of it waits in buffers along the way."""

    def __init__(self) -> None:
        self._least: float | None = None
        self._caught_up = False

    def waited(self, seconds: float) -> None:
        """The reader waited for so long before its next packet came."""
        self._caught_up = self._caught_up or seconds >= WAITED_S

    def update(self, media_time: float, now: float) -> float:
        """The lag in seconds at a packet of ``media_time`` that is read now; 0 where nothing waits in buffers.

        Measured against the transit time when nothing waited: a network that becomes slower makes frames late, which
        is no lag.
        """
        transit = now - media_time
        if self._least is None or self._caught_up or transit < self._least:
            self._least, self._caught_up = transit, False
        return transit - self._least


class Pace:
    """Holds frames back until they are due."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._ahead = -math.inf
        """Media time minus monotonic time at which a frame is due."""

    def wait(self, media_time: float, stop: StopSignal) -> float:
        """Wait until the frame of ``media_time`` is due, or ``stop``; the monotonic time then.

        A late frame is not made up for: those after it keep their distance from it.
        """
        now = self._clock.now()
        due = media_time - self._ahead
        if due > now and not math.isinf(due):
            stop.wait(due - now)
            return self._clock.now()
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
                options=decoder_options(source.max_pixels),
                container_options=dict(options),
                timeout=source.timeout_s,
                metadata_errors="replace",
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            failure = _failure(source, error)
            failure.__cause__ = error
    assert failure is not None
    raise failure


def _failure(source: LiveInput, error: Exception) -> SourceError:
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return LoginRefused(f"Cannot read {source.shown}: the server refuses the login. Check user and password.")
    if source.kind != "camera":
        return open_failure(source.location, error)
    if isinstance(error, PermissionError):
        what = "permission denied; add yourself to the group that owns it, usually 'video'"
    elif isinstance(error, FileNotFoundError):
        what = "it is gone"
    else:
        what = f"{error_text(error)}; another program may use it, or it does not support the size or rate asked for"
    return SourceError(f"Cannot open the camera {source.location}: {what}.")


def _rotated(stored: av.VideoFrame, degrees: int) -> av.VideoFrame:
    """The frame turned clockwise by a multiple of 90 degrees, as 8-bit 4:2:0, with its colour tags."""
    tags, flat = ColorTags.of(stored), convert(stored, color_of(stored), "yuv420p")
    width, height = (flat.width, flat.height) if degrees == 180 else (flat.height, flat.width)
    turned = av.VideoFrame(width, height, PIXEL_FORMATS["yuv420p"].name)
    for plane, target in zip(frame_from_av(flat).planes, frame_from_av(turned).planes, strict=True):
        np.copyto(target, np.rot90(plane, -degrees // 90))
    tags.apply_to(turned)
    return turned
