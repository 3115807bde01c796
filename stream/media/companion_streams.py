"""The streams beside the video, on their way into the output: copied where it takes them, else converted.

Each output has ``put``, which writes a packet of the input's stream, and ``flush``.
"""

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, Literal, Protocol, cast

import av
from av.codec import Codec

from .packets import Packet
from .source_facts import CompanionStream

AudioPolicy = Literal["copy", "aac", "none"]
Output = av.container.OutputContainer

AUDIO_ENCODERS: Final = {"webm": "libopus", "ogg": "libopus", "avi": "libmp3lame", "mpeg": "mp2"}
"""What audio becomes where it cannot be copied; AAC elsewhere."""
SUBTITLE_ENCODERS: Final = {
    "mp4": "mov_text",
    "mov": "mov_text",
    "ipod": "mov_text",
    "3gp": "mov_text",
    "matroska": "subrip",
    "webm": "webvtt",
}
TRANSPORT_STREAM_CODECS: Final = frozenset(
    {"mp2", "mp3", "aac", "ac3", "eac3", "dts", "truehd", "opus", "aac_latm", "s302m"}
    | {"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}
)
"""MPEG-TS takes anything, and makes private data that nobody can play of what is not in this list."""
MOV_FORMATS: Final = frozenset({"mp4", "mov", "ipod", "3gp", "psp"})
FRAME_FORMATS: Final = frozenset({"image2", "gif", "apng", "webp", "yuv4mpegpipe", "rawvideo"})
"""Formats of frames alone."""
SEGMENT_FORMATS: Final = {"hls": "mpegts", "dash": "mp4", "rtsp": "mpegts"}
"""What the formats that write several files, or none, hold their streams in."""
ATTACHING_FORMATS: Final = frozenset({"matroska"})
COVER_FORMATS: Final = frozenset({"mp4", "ipod"})
COVER_TYPES: Final = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
STALE_KEYS: Final = (
    "encoder",
    "duration",
    "bps",
    "number_of_",
    "_statistics",
    "vendor_id",
    "major_brand",
    "minor_version",
    "compatible_brands",
)
"""Beginnings of metadata keys that describe the old file, not what is in it."""
USUAL_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""What so many channels are taken for where the input does not name them, as FFmpeg does."""
BITS_PER_CHANNEL: Final = 80_000
"""Bits a second for each channel of re-encoded audio."""


class CompanionOutput(Protocol):
    """One output stream beside the video."""

    def put(self, packet: Packet) -> list[Packet]:
        """Packets to write now, for one of the input's."""
        ...

    def flush(self) -> list[Packet]:
        """The packets still held, at the end."""
        ...


def live_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata without what describes the old file's making."""
    return {key: value for key, value in metadata.items() if not key.lower().startswith(STALE_KEYS)}


class Copied:
    """Writes packets as they are, with decoding times that rise."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._last_dts: int | None = None

    def put(self, packet: Packet) -> list[Packet]:
        packet.stream = self._stream
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = 0 if self._last_dts is None else self._last_dts + max(1, packet.duration or 1)
        if self._last_dts is not None and dts <= self._last_dts:
            dts = self._last_dts + 1
        packet.dts = self._last_dts = dts
        packet.pts = dts if packet.pts is None else max(packet.pts, dts)
        return [packet]

    def flush(self) -> list[Packet]:
        return []


class ReencodedAudio:
    """Decodes, resamples where needed, and encodes; audio stays at the times that it had."""

    def __init__(self, source: av.AudioStream, stream: av.AudioStream) -> None:
        self._source, self._stream = source, stream
        self._resampler: av.AudioResampler | None = None
        self._form: tuple[str, str, int] | None = None

    def put(self, packet: Packet) -> list[Packet]:
        try:
            frames = self._source.codec_context.decode(packet)
        except (av.FFmpegError, ValueError):
            return []  # a damaged packet: the resampler fills the gap with silence
        return [made for frame in frames for made in self._encode(frame)]

    def flush(self) -> list[Packet]:
        try:
            late = self._source.codec_context.decode(None)
        except (av.FFmpegError, ValueError):
            late = []
        made = [packet for frame in late for packet in self._encode(frame)]
        if self._form is None:
            return made
        return made + self._drain() + self._stream.encode(None)

    def _encode(self, frame: av.AudioFrame) -> list[Packet]:
        if frame.time_base is None:
            frame.time_base = self._source.time_base
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        made: list[Packet] = []
        if form != self._form:
            made += self._drain()
            self._resampler, self._form = self._new_resampler(), form
        assert self._resampler is not None
        for piece in self._resampler.resample(frame):
            made += self._stream.encode(piece)
        return made

    def _drain(self) -> list[Packet]:
        if self._resampler is None:
            return []
        return [packet for piece in self._resampler.resample(None) for packet in self._stream.encode(piece)]

    def _new_resampler(self) -> av.AudioResampler:
        context = self._stream.codec_context
        return av.AudioResampler(
            format=context.format,
            layout=context.layout,
            rate=context.sample_rate,
            frame_size=context.frame_size or None,
            # Fills gaps with silence and drops overlaps, as timestamps demand.
            options={"async": "1"},
        )


class ConvertedSubtitles:
    """Text subtitles in another text format."""

    def __init__(self, source: Any, stream: Any) -> None:
        self._source, self._stream = source, stream
        self._copy = Copied(stream)

    def put(self, packet: Packet) -> list[Packet]:
        try:
            shown = self._source.codec_context.decode2(packet)
        except (av.FFmpegError, ValueError):
            return []
        if shown is None or not len(shown):
            return []
        made = cast(Packet, self._stream.codec_context.encode_subtitle(shown))
        made.pts, made.dts, made.duration = packet.pts, packet.pts, packet.duration
        made.time_base = packet.time_base
        return self._copy.put(made)

    def flush(self) -> list[Packet]:
        return []


def add_companions(
    container: Output, companions: Sequence[CompanionStream], audio: AudioPolicy, warnings: list[str]
) -> dict[int, CompanionOutput]:
    """Add an output stream for every companion that the container can take; by the input stream's index.

    What is converted or left out is told in ``warnings``.
    """
    outputs: dict[int, CompanionOutput] = {}
    for companion in companions:
        if companion.kind == "audio":
            output = _audio(container, companion, audio, warnings)
        elif companion.kind == "subtitle":
            output = _subtitle(container, companion, warnings)
        else:
            output = _extra(container, companion, warnings)
        if output is not None:
            outputs[companion.index] = output
    return outputs


def _audio(
    container: Output, companion: CompanionStream, policy: AudioPolicy, warnings: list[str]
) -> CompanionOutput | None:
    if policy == "none":
        return None
    if policy == "copy" and _takes(container, companion):
        return Copied(_copied_stream(container, companion))
    encoder = AUDIO_ENCODERS.get(container.format.name, "aac")
    stream = _encoded_audio_stream(container, companion, encoder)
    if stream is None:
        warnings.append(f"The output cannot hold audio: {companion.label} is left out.")
        return None
    if policy == "copy" or encoder != "aac":
        warnings.append(f"{container.format.name} does not take {companion.label} as it is; it becomes {encoder}.")
    return ReencodedAudio(companion.handle, stream)


def _encoded_audio_stream(container: Output, companion: CompanionStream, encoder: str) -> av.AudioStream | None:
    source, codec = companion.handle.codec_context, Codec(encoder, "w")
    rates = codec.audio_rates or [source.sample_rate]
    above = [rate for rate in rates if rate >= source.sample_rate]
    rate = min(above) if above else max(rates)
    for layout in (source.layout, "stereo"):
        context = cast(av.AudioCodecContext, av.CodecContext.create(codec, "w"))
        context.sample_rate, context.layout = rate, layout
        try:
            _settle(context, rate)
            context.open()
            stream = container.add_stream(encoder, rate=rate)
        except (av.FFmpegError, ValueError):
            continue
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = layout
        _settle(stream.codec_context, rate)
        stream.codec_context.open()
        _describe(container, stream, companion)
        return stream
    return None


def _settle(context: Any, rate: int) -> None:
    context.time_base = Fraction(1, rate)
    context.bit_rate = BITS_PER_CHANNEL * context.layout.nb_channels
    if context.codec.audio_formats:
        context.format = context.codec.audio_formats[0]


def _subtitle(container: Output, companion: CompanionStream, warnings: list[str]) -> CompanionOutput | None:
    if _takes(container, companion):
        return Copied(_copied_stream(container, companion))
    encoder = SUBTITLE_ENCODERS.get(container.format.name)
    if encoder is None or not companion.handle.codec_context.codec.text_sub:
        warnings.append(f"{container.format.name} cannot hold {companion.label}: it is left out.")
        return None
    source = companion.handle.codec_context
    source.open(strict=False)
    stream = cast(Any, container.add_stream(encoder))
    stream.codec_context.subtitle_header = source.subtitle_header
    stream.codec_context.time_base = stream.time_base = companion.handle.time_base
    stream.codec_context.open()
    _describe(container, stream, companion)
    warnings.append(f"{container.format.name} does not take {companion.label} as it is; it becomes {encoder}.")
    return ConvertedSubtitles(companion.handle, stream)


def _extra(container: Output, companion: CompanionStream, warnings: list[str]) -> CompanionOutput | None:
    """Cover art and attached files."""
    name = container.format.name
    if companion.kind == "attachment" and name in ATTACHING_FORMATS:
        title, mimetype = companion.metadata.get("filename", "attachment"), companion.metadata.get("mimetype", "")
        container.add_attachment(title, mimetype, companion.content)
    elif companion.codec in COVER_TYPES and companion.content and name in ATTACHING_FORMATS:
        container.add_attachment(*COVER_TYPES[companion.codec], companion.content)
    elif companion.kind == "frame" and name in COVER_FORMATS and _takes(container, companion):
        return Copied(_copied_stream(container, companion))
    else:
        warnings.append(f"{name} cannot hold {companion.label}: it is left out.")
    return None


def _takes(container: Output, companion: CompanionStream) -> bool:
    """Whether the container takes the stream's packets as they are: asked by writing a header with it alone."""
    name = container.format.name
    if name in FRAME_FORMATS or (name == "mpegts" and companion.codec not in TRANSPORT_STREAM_CODECS):
        return False
    trial = av.open(io.BytesIO(), "w", format=SEGMENT_FORMATS.get(name, name))
    try:
        stream = _added(trial, companion)
        if name in MOV_FORMATS and companion.codec.startswith("pcm_") and _is_unnamed(stream.codec_context.layout):
            return False  # told by MOV's header only when it is written, at the end
        trial.start_encoding()
        trial.close()
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


def _copied_stream(container: Output, companion: CompanionStream) -> Any:
    stream = _added(container, companion)
    _describe(container, stream, companion)
    return stream


def _added(container: Output, companion: CompanionStream) -> Any:
    stream = container.add_stream_from_template(companion.handle, opaque=True)
    if companion.kind == "audio" and _is_unnamed(layout := stream.codec_context.layout):
        usual = USUAL_LAYOUTS.get(layout.nb_channels)
        stream.codec_context.layout = layout if usual is None else usual
    return stream


def _is_unnamed(layout: av.AudioLayout) -> bool:
    """Whether only the number of channels is known, as of PCM in AVI and Matroska."""
    return layout.name.endswith(" channels")


def _describe(container: Output, stream: Any, companion: CompanionStream) -> None:
    stream.metadata.update(stream_metadata(container.format.name, companion.metadata))
    stream.disposition = int(companion.handle.disposition)


def stream_metadata(format_name: str, metadata: dict[str, str]) -> dict[str, str]:
    """A stream's metadata as an output of that format should have it."""
    kept = live_metadata(metadata)
    if format_name not in MOV_FORMATS:
        kept.pop("handler_name", None)
    if "name" in kept:  # what MOV files read back as "name" was written as "title"
        kept.setdefault("title", kept.pop("name"))
    return kept
