"""Reads the properties of an opened input from FFmpeg: its streams, when it starts, how its frames are displayed."""

import re
import struct
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final, cast

import av
from av.sidedata.sidedata import Type
from av.stream import Disposition

from emocolor.frames import Rotation

from ..files.pipes import PREFIX
from .reading.tags import bounded
from .side_data import side_data_of
from .source_info import Chapter, CompanionStream, FieldOrder, HdrMetadata, StreamKind

TIMED_TEXT_OF_CHAPTERS: Final = "bin_data"
"""MOV files keep chapter titles in a data stream of this name; FFmpeg has read them as chapters already."""
TIMED_TEXT: Final = "mov_text"
ALL_CUES_ARE_FORCED: Final = 0x80
"""In the first byte of a timed text track's description, its display flags."""
TIMECODE: Final = "timecode"
"""The key under which FFmpeg gives the first timecode of a track."""
COUNTED_FROM_ZERO: Final = frozenset({"asf"})
"""Formats whose durations count from the clock's zero, wherever the streams begin."""
_STILL: Final = Disposition.attached_pic | Disposition.timed_thumbnails
_BOTTOM_FIRST: Final = (3, 4)
"""FFmpeg's AV_FIELD_BB and AV_FIELD_TB: the fields as they are displayed, in whatever order they are stored."""
_MAX_PLAUSIBLE_RATE: Final = 1000
"""Frames per second; a higher guess is only the time base."""
_USUAL_RATE: Final = 60
"""Frames per second; a higher guess may only be one that all intervals are multiples of."""


def main_video(container: av.container.InputContainer) -> av.VideoStream | None:
    """The video to process: the first that is marked as default, else the first; never cover art.

    One that has a single frame is taken where no other is there: animated AVIF begins with a still image.
    """
    known = [stream for stream in container.streams.video if not is_still(stream) and stream.codec_context is not None]
    moving = [stream for stream in known if stream.frames != 1] or known
    marked = [stream for stream in moving if stream.disposition & Disposition.default]
    return next(iter(marked or moving), None)


def is_still(stream: Any) -> bool:
    """Whether a video stream holds cover art or thumbnails."""
    return stream.type == "video" and bool(stream.disposition & _STILL)


def companions_of(container: av.container.InputContainer, main: av.VideoStream) -> tuple[CompanionStream, ...]:
    """The streams that can go into the output beside the main video."""
    others: list[Any] = [stream for stream in container.streams if stream.index != main.index]
    streams = [(stream, _companion_kind(stream)) for stream in others]
    return tuple(
        CompanionStream(
            index=stream.index,
            kind=kind,
            codec=_codec_name(stream) if kind != "attachment" else "",
            metadata=dict(stream.metadata),
            disposition=_disposition(stream),
            content=bytes(stream.data) if kind == "attachment" else b"",
            handle=stream,
        )
        for stream, kind in streams
        if kind is not None
    )


def _companion_kind(stream: Any) -> StreamKind | None:
    if stream.type == "attachment":
        return "attachment"
    if stream.codec_context is None:
        return None
    if stream.type == "video":
        return "cover" if stream.disposition & Disposition.attached_pic else None
    if stream.type == "audio":
        return "audio" if is_known(stream) else None
    return "subtitle" if stream.type == "subtitle" else None


def _disposition(stream: Any) -> int:
    """FFmpeg's flags, and the one that timed text has in its description, where FFmpeg does not look."""
    flags = int(stream.disposition)
    if _codec_name(stream) != TIMED_TEXT or not (stream.codec_context.extradata or b"\0")[0] & ALL_CUES_ARE_FORCED:
        return flags
    return flags | Disposition.forced


def is_known(audio: av.AudioStream) -> bool:
    """Whether FFmpeg found out what the audio is; of one that begins too late it knows the codec alone."""
    context = audio.codec_context
    return context.sample_rate > 0 and context.layout.nb_channels > 0


def left_out(container: av.container.InputContainer, taken: Iterable[int]) -> tuple[str, ...]:
    """The streams that are not in ``taken``, each in a few words; timecode tracks are made anew."""
    indices, has_chapters = set(taken), bool(container.chapters())
    return tuple(
        f"{stream.type or 'unknown'} {stream.index} ({_codec_name(stream) or 'unknown codec'}{_lack(stream)})"
        for stream in container.streams
        if stream.index not in indices
        and not (has_chapters and _codec_name(stream) == TIMED_TEXT_OF_CHAPTERS)
        and not (stream.type == "data" and TIMECODE in stream.metadata)
    )


def _lack(stream: Any) -> str:
    """Why a stream cannot be taken whose kind can."""
    if stream.type == "audio" and stream.codec_context is not None and not is_known(stream):
        return ", which begins too late; to take it, set the option input.analyzeduration to more"
    return ""


def _codec_name(stream: Any) -> str:
    if stream.codec_context is not None:
        return str(stream.codec_context.codec.canonical_name)
    return str(getattr(stream, "name", "") or "")


def frame_rate_of(stream: av.VideoStream) -> Fraction | None:
    """Nominal frames per second; the average where FFmpeg's guess is only the time base."""
    average, guessed = stream.average_rate, stream.guessed_rate
    if guessed and average and (guessed > _MAX_PLAUSIBLE_RATE or _USUAL_RATE < guessed > 4 * average):
        return average
    return guessed or average or None


def start_of(container: av.container.InputContainer) -> Fraction:
    """When the input starts, in seconds of its own clock."""
    return Fraction(container.start_time or 0, av.time_base)


def video_start_of(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction:
    """When the video's first frame is shown, in seconds of the input's clock, as far as its header states it."""
    if stream.start_time is None or stream.time_base is None:
        return start_of(container)
    return stream.start_time * stream.time_base


def duration_of(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Seconds of the whole input, stated by its header or estimated by FFmpeg; ``None`` where unknown."""
    if container.duration:
        return Fraction(container.duration, av.time_base)
    return stream.duration * stream.time_base if stream.duration and stream.time_base else None


def frame_count_of(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    duration: Fraction | None,
    rate: Fraction | None,
    *,
    whole: bool,
) -> int | None:
    """Frames of ``duration``, as the header states them for the ``whole`` input, else by the nominal rate."""
    if container.format.name.endswith("_pipe") and not container.name.startswith(PREFIX):
        return 1  # a single image file
    if whole and stream.frames:
        return stream.frames
    return round(duration * rate) if duration and rate else None


def promised_end(stream: av.VideoStream, origin: Fraction) -> Fraction | None:
    """When the video ends according to its header, in seconds from ``origin``; ``None`` where that states nothing."""
    # Matroska has one duration for all streams; FFmpeg and mkvmerge write each one's as a tag.
    stated = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if stated is not None:
        return int(stated[1]) * 3600 + int(stated[2]) * 60 + Fraction(stated[3]) - origin
    if not stream.duration or stream.time_base is None:
        return None
    counted_from = 0 if stream.container.format.name in COUNTED_FROM_ZERO else stream.start_time or 0
    return (counted_from + stream.duration) * stream.time_base - origin


def chapters_of(
    container: av.container.InputContainer, origin: Fraction, length: Fraction | None
) -> tuple[Chapter, ...]:
    """The chapters from the frames' zero, cut to the part that is read; those outside are left out."""
    chapters = []
    for chapter in container.chapters():
        unit = chapter["time_base"] or Fraction(1)
        start, end = max(chapter["start"] * unit - origin, Fraction(0)), chapter["end"] * unit - origin
        if length is not None:
            end = min(end, length)
        if start < end:
            chapters.append(Chapter(start=start, end=end, metadata=bounded(chapter["metadata"])))
    return tuple(chapters)


def field_order_of(stream: av.VideoStream, first: av.VideoFrame) -> FieldOrder:
    """The field order by the flags of the first frame, or where that has none, of the stream; both are often wrong."""
    order = stream.codec_context.field_order
    if first.interlaced_frame:
        return "bottom first" if _is_bottom_first(first) else "top first"
    if order <= 1:
        return "progressive"
    return "bottom first" if order in _BOTTOM_FIRST else "top first"


def _is_bottom_first(interlaced: av.VideoFrame) -> bool:
    """Whether the frame is flagged so; PyAV does not tell, but one of FFmpeg's filters does."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=interlaced.width,
        height=interlaced.height,
        format=interlaced.format,
        time_base=interlaced.time_base or Fraction(1, 25),
    )
    select = graph.add("select", "eq(interlace_type,BOTTOMFIRST)")
    graph.link_nodes(source, select, graph.add("buffersink")).configure()
    graph.push(interlaced)
    graph.push(None)
    try:
        graph.pull()
    except (av.error.EOFError, av.error.BlockingIOError):
        return False
    return True


def display_matrix_of(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """FFmpeg's 3x3 display matrix by rows, or ``None`` where frames are displayed as they are stored."""
    data = side_data_of(frame, Type.DISPLAYMATRIX)
    if data is None:
        return None
    matrix = struct.unpack("=9i", data[:36])
    return None if matrix[:5] == (1 << 16, 0, 0, 0, 1 << 16) else matrix


def rotation_of(frame: av.VideoFrame, matrix: tuple[int, ...] | None) -> Rotation:
    """Clockwise rotation for display, to the nearest 90 degrees; mirroring is ignored."""
    if matrix is None:
        return 0
    if matrix[0] * matrix[4] - matrix[1] * matrix[3] > 0:
        return cast(Rotation, round(-frame.rotation / 90) * 90 % 360)
    # A negative determinant: mirrored left to right, then rotated. Without the mirroring, a rotation is left.
    a, b = -matrix[0], -matrix[1]
    if abs(a) >= abs(b):
        return 0 if a > 0 else 180
    return 90 if b > 0 else 270


def hdr_of(frame: av.VideoFrame) -> HdrMetadata | None:
    """Static HDR metadata from the frame's side data."""
    display = side_data_of(frame, Type.MASTERING_DISPLAY_METADATA)
    light = side_data_of(frame, Type.CONTENT_LIGHT_LEVEL)
    if display is None and light is None:
        return None
    fields: dict[str, Any] = {}
    if display is not None:
        numbers = struct.unpack("=22i", display[:88])
        pairs = [Fraction(n, d) if d else Fraction(0) for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
        points = dict(zip(("red", "green", "blue", "white"), zip(pairs[0:8:2], pairs[1:8:2], strict=True), strict=True))
        fields |= points if numbers[20] else {}
        fields |= {"luminance": (pairs[8], pairs[9])} if numbers[21] else {}
    if light is not None:
        fields["light_level"] = struct.unpack("=2I", light[:8])
    return HdrMetadata(**fields)
