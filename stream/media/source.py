"""Whatever FFmpeg reads, as frames and the packets of the other streams.

These packets travel with the frames, in the order in which they were read. So memory is bounded by the interleaving of
the input, and the order of the output never depends on timing.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from typing import Final

import av

from emocolor.errors import SourceError
from emocolor.frames import Frame

from ..files.stop_request import StopRequest
from . import probe
from .decoder import FrameDecoder, Hardware, delay_of
from .locations import display_name, error_text, is_image_pattern, is_url, missing_image
from .packets import Packet, PacketReader, demux, late_stream_warning
from .reading.frame_size import too_large
from .reading.opening import is_repeatable, main_video, open_container
from .reading.seeking import position
from .reading.source_options import SourceOptions
from .reading.tags import bound_tags
from .reading.timestamps import in_units, unit_for
from .source_info import CompanionStream, Damage, SourceInfo

__all__ = ["MediaUnit", "SourceOptions", "VideoSource"]

MAX_PACKETS_PER_UNIT: Final = 512
"""Bounds memory where the video starts late, or pauses."""
MAX_BEGINNING: Final = 8
"""Packets of each other stream by which a sink tells whether its container takes them."""
NOTICED_SECONDS: Final = 0.2
"""Audio that is missed for longer at the start of a part is warned of."""
TRAILING_SECONDS: Final = 1
"""How far beyond the end packets of other streams are read that may belong before it."""
MAX_NAMED: Final = 5
"""Leaps of the clock that are warned of one by one."""
TOLERATED_SHORTFALL_SECONDS: Final = Fraction(1, 2)
"""A file that ends earlier than its header states is truncated if it ends earlier by more than this."""


@dataclass(frozen=True, kw_only=True)
class MediaUnit:
    """A frame, and the packets of the other streams that were read before it."""

    frame: Frame | None
    """``None`` where only packets are left, or where many of them come before the next frame."""
    packets: tuple[Packet, ...] = ()
    """In the order in which they were read, with times from the same zero as the frames'."""
    cut: bool = False
    """Whether a new shot starts with this frame, once that is known."""
    original: Frame | None = None
    """The frame as it was decoded, or a part of it, if it is to be shown beside the result."""


@dataclass(frozen=True, kw_only=True)
class FilmPart:
    """Some frames of a film, by their times; no other streams."""

    first: int
    """Time of its first frame, in units of the frames' time base."""
    end: int | None
    """It ends before the frame at this time."""
    seeks: bool
    """Whether to seek to it; else all before it is decoded and dropped."""


class VideoSource:
    """One video being read.

    ``units`` may be iterated once, in one thread; ``stop`` may be called from any. Close it after use.
    """

    info: SourceInfo
    damage: Damage
    """Counted while reading."""
    warnings: list[str]
    """Things that a user should know, one line each; reading may add to them."""

    def __init__(
        self,
        location: str,
        options: SourceOptions | None = None,
        *,
        hardware: Hardware | None = None,
        stop: StopRequest | None = None,
        part: FilmPart | None = None,
    ) -> None:
        """Open the input and decode its first frame; ``hardware`` decodes what it can, ``part`` alone is read.

        ``stop`` ends waits for what is piped in, as if it ended there.

        Raises SourceError, with one line that says what to do, where this is impossible, and what opening the hardware
        raises.
        """
        self._options, self._part = options or SourceOptions(), part
        self._location = location
        self.damage, self.warnings = Damage(), []
        container = open_container(location, self._options, stop)
        try:
            container = self._positioned(container, stop)
            self.warnings += bound_tags(container)
            stream = main_video(container, location, self._options)
            stream.thread_type = "AUTO"
            companions = () if part is not None else probe.companions_of(container, stream)
            start = probe.start_of(container) + self._options.start
            handles = [companion.handle for companion in companions if companion.kind != "attachment"]
            self._reader = PacketReader(container, stream, handles, start, self.damage)
            self._decoder = FrameDecoder(
                stream,
                self.damage,
                self.warnings,
                hardware,
                max_pixels=self._options.max_pixels,
                time_base=self._reader.video_unit,
            )
            self._learn_delay(stop)
            self._promised_end = probe.promised_end(stream, self._reader.origin)
            self._first: deque[MediaUnit] = deque()
            self._carried = _carried(companions)
            self._begun: set[int] = set()
            """Streams of audio that began before the part."""
            self._rest = self._read(self._carried)
            self._read_first_frame()
            self.info = self._gather(container, stream, companions)
        except BaseException:
            container.close()
            raise

    @property
    def on_device(self) -> bool:
        """Whether the frames lie in a GPU's memory."""
        return self._decoder.on_device

    def units(self) -> Iterator[MediaUnit]:
        """Frames in order of presentation, and every packet of the companion streams."""
        while self._first:
            yield self._first.popleft()
        yield from self._rest

    def companion_packets(self) -> Iterator[Packet]:
        """The packets of the companion streams alone, in their stored order; instead of ``units``."""
        for unit in self._first:
            yield from unit.packets
        for packet in self._reader.packets():
            if packet.stream.index in self._carried:
                yield from self._within(packet)

    @property
    def duration(self) -> float | None:
        """Seconds that will be read, as far as is known by now: leaps of the clock that were cut out do not count."""
        if self.info.duration is None or self._options.length is not None:
            return self.info.duration
        joined = sum((leap.length for leap in self._reader.times.joined), Fraction(0))
        return max(self.info.duration - float(joined), 0.0)

    @property
    def has_seekable_times(self) -> bool:
        """Whether all that was read has the times that its packets state, so that a seek finds them again."""
        clock, times = self._reader.times, self._decoder.times
        return times.are_stated and not (clock.restarts or clock.joined or clock.outliers)

    def stop(self) -> None:
        """End ``units`` at the next frame, as if the input ended there; may be called from any thread."""
        self._reader.stop()

    def close(self) -> None:
        """Release the input; ``units`` ends."""
        self._reader.close()

    def _positioned(
        self, container: av.container.InputContainer, stop: StopRequest | None
    ) -> av.container.InputContainer:
        """The input before the part that is read, as near as it can seek."""
        stream = main_video(container, self._location, self._options)
        after = self._options.start
        if self._part is not None and self._part.seeks:
            assert stream.time_base is not None
            after += self._part.first * unit_for(stream.time_base, probe.start_of(container) + after)
        if after <= 0:
            return container
        reopen = partial(open_container, self._location, self._options, stop)
        if is_repeatable(self._location):
            container, sought = position(container, stream, after, reopen)
        elif is_url(self._location):
            container, sought = position(container, stream, after, None)
        else:
            sought = False  # a pipe, in which FFmpeg would read on
        if not sought:
            self.warnings.append("The input cannot seek, so everything before the start is decoded and dropped.")
        return container

    def _learn_delay(self, stop: StopRequest | None) -> None:
        """Measure at the input's start how late the decoder is, where times depend on that."""
        times = self._decoder.times
        if times.by_decoding and self._options.start > 0 and is_repeatable(self._location):
            with open_container(self._location, self._options, stop) as container:
                stream = main_video(container, self._location, self._options)
                delay = delay_of(stream, demux(container, [stream]), self._options.max_pixels)
            times.decoder_delay = in_units(delay, times.time_base)

    def _read_first_frame(self) -> None:
        for unit in self._rest:
            self._first.append(unit)
            if unit.frame is not None:
                return
        raise self._no_frame_error()

    def _no_frame_error(self) -> SourceError:
        name, failure = display_name(self._location), self._decoder.failure or self._reader.failure
        if self._decoder.too_large is not None:
            return too_large(name, self._decoder.too_large, self._options.max_pixels)
        if failure is not None and self._decoder.format is None:
            error = SourceError(f"No frame of {name} can be decoded ({error_text(failure)}). It may be damaged.")
            error.__cause__ = failure
            return error
        start, end = self._options.start_seconds or 0, self._options.end_seconds
        if end is not None and (self._decoder.format is not None or not start):
            return SourceError(f"{name} has no frame between {start:g} s and {end:g} s. Choose another part.")
        if start > 0:
            return SourceError(f"{name} has no frame after {start:g} s. Start earlier.")
        return SourceError(f"{name} has no frames in it. It may be damaged or unfinished.")

    def _read(self, companions: frozenset[int]) -> Iterator[MediaUnit]:
        waiting: list[Packet] = []
        for packet in self._reader.packets():
            if packet.stream.index in companions:
                waiting.extend(self._within(packet))
            else:
                for frame in self._decoder.decode(packet):
                    if self._is_past_end(frame):
                        yield from self._trailing(waiting, companions)
                        return
                    if self._is_wanted(frame):
                        yield MediaUnit(frame=frame, packets=tuple(waiting))
                        waiting.clear()
            if len(waiting) >= MAX_PACKETS_PER_UNIT:
                yield MediaUnit(frame=None, packets=tuple(waiting))
                waiting.clear()
        yield from self._last(waiting)

    def _last(self, waiting: list[Packet]) -> Iterator[MediaUnit]:
        """The frames that are still in the decoder, and the packets after them."""
        if not self._reader.stopped:
            for frame in self._decoder.decode(None):
                if self._is_past_end(frame):
                    break
                if self._is_wanted(frame):
                    yield MediaUnit(frame=frame, packets=tuple(waiting))
                    waiting.clear()
        if waiting:
            yield MediaUnit(frame=None, packets=tuple(waiting))
        self._note_clock()
        self._note_late_streams()
        if self._options.length is None and not self._reader.stopped:
            self._note_missing_images()
            self._note_missing_end()

    def _trailing(self, waiting: list[Packet], companions: frozenset[int]) -> Iterator[MediaUnit]:
        """The packets that belong before the end but are stored after the last frame."""
        if self._options.length is None:
            return  # the end of a part, which has no other streams
        latest = self._options.length + TRAILING_SECONDS
        for packet in self._reader.packets():
            if packet.dts is not None and packet.dts * packet.time_base > latest:
                break
            if packet.stream.index in companions:
                waiting.extend(self._within(packet))
        if waiting:
            yield MediaUnit(frame=None, packets=tuple(waiting))
        self._note_clock()
        self._note_late_streams()

    def _within(self, packet: Packet) -> list[Packet]:
        """The packet, if it belongs to the part that is read; a subtitle that extends beyond it is shortened."""
        if packet.pts is None or packet.stream.type == "video":
            return [packet]
        limit = None if self._options.length is None else math.ceil(self._options.length / packet.time_base)
        if limit is not None and packet.pts >= limit:
            return []
        if packet.stream.type == "subtitle":
            return self._shortened(packet, limit)
        if packet.pts < 0 and self._options.start:
            self._begun.add(packet.stream.index)
            return []
        self._note_late_begin(packet)
        return [packet]

    def _note_late_begin(self, packet: Packet) -> None:
        """Warn where audio that was there before the part continues only far into it."""
        if packet.stream.index not in self._begun:
            return
        self._begun.remove(packet.stream.index)
        late = float((packet.pts or 0) * packet.time_base)
        if late > NOTICED_SECONDS:
            self.warnings.append(
                f"Audio {packet.stream.index} begins {late:.1f} s late, with its first whole packet. "
                "Start earlier to have all of it."
            )

    def _shortened(self, packet: Packet, limit: int | None) -> list[Packet]:
        """A subtitle, presented no longer than the part that is read."""
        assert packet.pts is not None
        start, end = packet.pts, packet.pts + (packet.duration or 0)
        if self._options.start:
            start = max(start, 0)
            if end <= start:
                return []
        if limit is not None:
            end = min(end, limit)
        if (start, end) != (packet.pts, packet.pts + (packet.duration or 0)):
            packet.pts = packet.dts = start
            packet.duration = end - start
        return [packet]

    def _is_wanted(self, frame: Frame) -> bool:
        """Whether the frame does not lie before the part that is read."""
        if self._part is not None:
            return frame.pts >= self._part.first
        return frame.pts >= 0 or not self._options.start

    def _is_past_end(self, frame: Frame) -> bool:
        if self._part is not None and self._part.end is not None and frame.pts >= self._part.end:
            return True
        return self._options.length is not None and frame.pts * frame.time_base >= self._options.length

    def _note_clock(self) -> None:
        """Warn where the input's clock does not run evenly."""
        times = self._reader.times
        if times.restarts:
            self.warnings.append("The input's clock restarts in places; the parts are joined one after the other.")
        for leap in times.joined[:MAX_NAMED]:
            self.warnings.append(
                f"The input's clock leaps ahead at {float(leap.at):.1f} s, by {float(leap.length):.1f} s; "
                "the parts are joined there."
            )
        if len(times.joined) > MAX_NAMED:
            self.warnings.append(f"The input's clock leaps ahead {len(times.joined) - MAX_NAMED} more times.")
        if times.pause is not None:
            self.warnings.append(
                f"The video has no frames for {float(times.pause.length):.1f} s from {float(times.pause.at):.1f} s on; "
                "the frame before is shown until then."
            )
        if times.outliers:
            self.warnings.append(f"{times.outliers} packets have times far from those around them, which are ignored.")

    def _note_late_streams(self) -> None:
        self.warnings += map(late_stream_warning, self._reader.late_streams())

    def _note_missing_images(self) -> None:
        """Warn of numbered images that FFmpeg does not read, since those before them are not all there."""
        gap = missing_image(self._location) if is_image_pattern(self._location) else None
        if gap is not None:
            self.damage.truncated = True
            self.warnings.append(
                f"Image {gap[0]} of {display_name(self._location)} is missing, and {gap[1]} after it are left out. "
                "Number the images without gaps."
            )

    def _note_missing_end(self) -> None:
        """Note a truncated file: one whose header states a later end."""
        promised, end = self._promised_end, self._reader.video_end
        if self._reader.times.restarts or self._reader.times.joined:
            promised = None  # by the clock of one part
        if promised is not None and end < promised - TOLERATED_SHORTFALL_SECONDS:
            self.damage.truncated = True
        if self.damage.truncated:
            self.damage.end_seconds = float(end)
            self.damage.promised_seconds = None if promised is None else float(promised)

    def _with_beginning(self, companion: CompanionStream) -> CompanionStream:
        """The stream with what was read of it so far; cover art comes before all other packets."""
        read = (packet for unit in self._first for packet in unit.packets)
        own = (packet for packet in read if packet.stream.index == companion.index)
        beginning = tuple(islice(own, MAX_BEGINNING))
        if companion.kind == "cover":
            return replace(companion, content=bytes(beginning[0]) if beginning else b"")
        return replace(companion, beginning=beginning)

    def _gather(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        companions: tuple[CompanionStream, ...],
    ) -> SourceInfo:
        stream_format, options = self._decoder.format, self._options
        frame = self._first[-1].frame
        assert stream_format is not None
        assert frame is not None
        origin = self._reader.origin
        duration = _duration(probe.duration_of(container, stream), options)
        rate = self._decoder.times.frame_rate
        whole = not options.start and options.length is None
        return SourceInfo(
            location=display_name(self._location),
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            width=stream_format.size_wh[0],
            height=stream_format.size_wh[1],
            pix_fmt=stream_format.first.format.name,
            format=stream_format.pixel_format,
            color=frame.color,
            frame_rate=rate,
            time_base=frame.time_base,
            duration=None if duration is None else float(duration),
            frame_count=probe.frame_count_of(container, stream, duration, rate, whole=whole),
            sample_aspect=stream_format.sample_aspect,
            rotation=stream_format.rotation,
            display_matrix=stream_format.display_matrix,
            field_order=probe.field_order_of(stream, stream_format.first),
            hdr=probe.hdr_of(stream_format.first),
            companions=tuple(self._with_beginning(companion) for companion in companions),
            left_out=probe.left_out(container, {stream.index, *(other.index for other in companions)}),
            metadata=dict(container.metadata),
            video_metadata=dict(stream.metadata),
            video_disposition=int(stream.disposition),
            chapters=probe.chapters_of(container, origin, options.length),
            video_start=probe.video_start_of(container, stream) - origin,
        )


def _carried(companions: tuple[CompanionStream, ...]) -> frozenset[int]:
    return frozenset(companion.index for companion in companions)


def _duration(whole: Fraction | None, options: SourceOptions) -> Fraction | None:
    """How much of an input of ``whole`` seconds the options leave."""
    if whole is None:
        return options.length
    rest = max(whole - options.start, Fraction(0))
    return rest if options.length is None else min(rest, options.length)
