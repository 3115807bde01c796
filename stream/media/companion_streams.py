"""Streams beside the video on their way into the output: copied where the container accepts them, else converted."""

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final, Literal, Protocol, cast

import av
from av.codec import Codec
from av.container import OutputContainer

from .packets import Packet
from .source_info import CompanionStream

AudioPolicy = Literal["copy", "aac", "none"]

AUDIO_ENCODERS: Final = {"webm": "libopus", "ogg": "libopus", "avi": "libmp3lame", "mpeg": "mp2"}
"""The encoder for audio that cannot be copied, by container format; AAC for all others."""
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
"""FFmpeg's MPEG-TS muxer accepts every codec, but writes all others as private data that no player understands."""
MOV_FORMATS: Final = frozenset({"mp4", "mov", "ipod", "3gp", "psp"})
VIDEO_ONLY_FORMATS: Final = frozenset({"image2", "gif", "apng", "webp", "yuv4mpegpipe", "rawvideo"})
SEGMENT_FORMATS: Final = {"hls": "mpegts", "dash": "mp4", "rtsp": "mpegts"}
"""The container inside formats that write several files, or none."""
ATTACHING_FORMATS: Final = frozenset({"matroska"})
COVER_FORMATS: Final = frozenset({"mp4", "ipod"})
COVER_TYPES: Final = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
"""File name and MIME type of cover art as a Matroska attachment, by codec; players look for these names."""
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
"""Prefixes of metadata keys that describe the input file itself and would be wrong in the output."""
DEFAULT_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Channel layouts by number of channels, where the input does not name one; the same as FFmpeg's defaults."""
BITS_PER_CHANNEL: Final = 80_000
"""Bits per second and channel of re-encoded audio."""


class CompanionOutput(Protocol):
    """One output stream beside the video."""

    def put(self, packet: Packet) -> list[Packet]:
        """Take a packet of the input's stream; the packets to write now."""
        ...

    def flush(self) -> list[Packet]:
        """The packets still held, at the end."""
        ...


class CopiedStream:
    """Writes packets as they are, with decoding times that increase, as muxers demand."""

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
    """Decodes, resamples where needed, and encodes; samples keep their presentation times."""

    def __init__(self, source: av.AudioStream, stream: av.AudioStream) -> None:
        self._source, self._stream = source, stream
        self._resampler: av.AudioResampler | None = None
        self._input_format: tuple[str, str, int] | None = None
        """Sample format, layout and rate that the resampler was made for; inputs may change them midway."""

    def put(self, packet: Packet) -> list[Packet]:
        try:
            frames = self._source.codec_context.decode(packet)
        except (av.FFmpegError, ValueError):
            return []  # a damaged packet: the resampler fills the gap with silence
        return [encoded for frame in frames for encoded in self._encode(frame)]

    def flush(self) -> list[Packet]:
        try:
            frames = self._source.codec_context.decode(None)
        except (av.FFmpegError, ValueError):
            frames = []
        packets = [encoded for frame in frames for encoded in self._encode(frame)]
        if self._input_format is None:
            return packets  # nothing was decoded, so the encoder has nothing to flush
        return packets + self._drain() + self._stream.encode(None)

    def _encode(self, frame: av.AudioFrame) -> list[Packet]:
        if frame.time_base is None:
            frame.time_base = self._source.time_base
        input_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        packets: list[Packet] = []
        if input_format != self._input_format:
            packets += self._drain()
            self._resampler, self._input_format = self._new_resampler(), input_format
        assert self._resampler is not None
        for resampled in self._resampler.resample(frame):
            packets += self._stream.encode(resampled)
        return packets

    def _drain(self) -> list[Packet]:
        """Encode the samples that are still in the resampler."""
        if self._resampler is None:
            return []
        return [packet for frame in self._resampler.resample(None) for packet in self._stream.encode(frame)]

    def _new_resampler(self) -> av.AudioResampler:
        context = self._stream.codec_context
        return av.AudioResampler(
            format=context.format,
            layout=context.layout,
            rate=context.sample_rate,
            frame_size=context.frame_size or None,
            # Fills gaps with silence and drops overlaps, as the timestamps demand.
            options={"async": "1"},
        )


class ConvertedSubtitles:
    """Text subtitles in another text format."""

    def __init__(self, source: Any, stream: Any) -> None:
        self._source, self._stream = source, stream
        self._copy = CopiedStream(stream)

    def put(self, packet: Packet) -> list[Packet]:
        try:
            subtitles = self._source.codec_context.decode2(packet)
        except (av.FFmpegError, ValueError):
            return []
        if subtitles is None or not len(subtitles):
            return []
        encoded = cast(Packet, self._stream.codec_context.encode_subtitle(subtitles))
        encoded.pts, encoded.dts, encoded.duration = packet.pts, packet.pts, packet.duration
        encoded.time_base = packet.time_base
        return self._copy.put(encoded)

    def flush(self) -> list[Packet]:
        return []


def add_companions(
    container: OutputContainer, companions: Sequence[CompanionStream], audio: AudioPolicy, warnings: list[str]
) -> dict[int, CompanionOutput]:
    """Add an output stream for every companion that the container can hold; by the input stream's index.

    ``warnings`` gets a line for each stream that is converted or left out.
    """
    outputs: dict[int, CompanionOutput] = {}
    for companion in companions:
        if companion.kind == "audio":
            output = _add_audio(container, companion, audio, warnings)
        elif companion.kind == "subtitle":
            output = _add_subtitles(container, companion, warnings)
        else:
            output = _add_file(container, companion, warnings)
        if output is not None:
            outputs[companion.index] = output
    return outputs


def current_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Metadata without the keys that describe the input file itself."""
    return {key: value for key, value in metadata.items() if not key.lower().startswith(STALE_KEYS)}


def stream_metadata(format_name: str, metadata: dict[str, str]) -> dict[str, str]:
    """A stream's metadata as an output of that container format should have it."""
    kept = current_metadata(metadata)
    if format_name not in MOV_FORMATS:
        kept.pop("handler_name", None)
    if "name" in kept:  # MOV's demuxer gives what was written as "title" under "name"
        kept.setdefault("title", kept.pop("name"))
    return kept


def _add_audio(
    container: OutputContainer, companion: CompanionStream, policy: AudioPolicy, warnings: list[str]
) -> CompanionOutput | None:
    if policy == "none":
        return None
    if policy == "copy" and _accepts(container, companion):
        return CopiedStream(_add_copied_stream(container, companion))
    encoder = AUDIO_ENCODERS.get(container.format.name, "aac")
    stream = _add_encoded_audio(container, companion, encoder)
    if stream is None:
        warnings.append(f"The output cannot hold audio: {companion.label} is left out.")
        return None
    if policy == "copy" or encoder != "aac":
        warnings.append(_conversion(container, companion, encoder))
    return ReencodedAudio(companion.handle, stream)


def _add_encoded_audio(container: OutputContainer, companion: CompanionStream, encoder: str) -> av.AudioStream | None:
    source, codec = companion.handle.codec_context, Codec(encoder, "w")
    rates = codec.audio_rates or [source.sample_rate]
    sufficient = [rate for rate in rates if rate >= source.sample_rate]
    rate = min(sufficient) if sufficient else max(rates)
    for layout in (source.layout, "stereo"):
        # A stream cannot be removed again, so the encoder is tried on a context of its own first.
        trial = cast(av.AudioCodecContext, av.CodecContext.create(codec, "w"))
        trial.sample_rate, trial.layout = rate, layout
        try:
            _configure(trial, rate)
            trial.open()
            stream = container.add_stream(encoder, rate=rate)
        except (av.FFmpegError, ValueError):
            continue
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = layout
        _configure(stream.codec_context, rate)
        stream.codec_context.open()
        _copy_metadata(container, stream, companion)
        return stream
    return None


def _configure(context: Any, rate: int) -> None:
    context.time_base = Fraction(1, rate)
    context.bit_rate = BITS_PER_CHANNEL * context.layout.nb_channels
    if context.codec.audio_formats:
        context.format = context.codec.audio_formats[0]


def _add_subtitles(
    container: OutputContainer, companion: CompanionStream, warnings: list[str]
) -> CompanionOutput | None:
    if _accepts(container, companion):
        return CopiedStream(_add_copied_stream(container, companion))
    encoder = SUBTITLE_ENCODERS.get(container.format.name)
    if encoder is None or not companion.handle.codec_context.codec.text_sub:
        warnings.append(f"{container.format.name} cannot hold {companion.label}: it is left out.")
        return None
    source = companion.handle.codec_context
    source.open(strict=False)
    stream = cast(Any, container.add_stream(encoder))
    # The ASS header, with the styles that the decoded lines refer to: encoders refuse to open without it.
    stream.codec_context.subtitle_header = source.subtitle_header
    stream.codec_context.time_base = stream.time_base = companion.handle.time_base
    stream.codec_context.open()
    _copy_metadata(container, stream, companion)
    warnings.append(_conversion(container, companion, encoder))
    return ConvertedSubtitles(companion.handle, stream)


def _conversion(container: OutputContainer, companion: CompanionStream, encoder: str) -> str:
    return f"{container.format.name} does not support {companion.label} as it is: it is converted to {encoder}."


def _add_file(container: OutputContainer, companion: CompanionStream, warnings: list[str]) -> CompanionOutput | None:
    """Add cover art or an attached file."""
    name = container.format.name
    if companion.kind == "attachment" and name in ATTACHING_FORMATS:
        title, mimetype = companion.metadata.get("filename", "attachment"), companion.metadata.get("mimetype", "")
        container.add_attachment(title, mimetype, companion.content)
    elif companion.codec in COVER_TYPES and companion.content and name in ATTACHING_FORMATS:
        container.add_attachment(*COVER_TYPES[companion.codec], companion.content)
    elif companion.kind == "cover" and name in COVER_FORMATS and _accepts(container, companion):
        return CopiedStream(_add_copied_stream(container, companion))
    else:
        warnings.append(f"{name} cannot hold {companion.label}: it is left out.")
    return None


def _accepts(container: OutputContainer, companion: CompanionStream) -> bool:
    """Whether the container holds the stream's packets as they are.

    FFmpeg has no list of that, so a header with this stream alone is written to memory.
    """
    name = container.format.name
    if name in VIDEO_ONLY_FORMATS or (name == "mpegts" and companion.codec not in TRANSPORT_STREAM_CODECS):
        return False
    trial = av.open(io.BytesIO(), "w", format=SEGMENT_FORMATS.get(name, name))
    try:
        stream = _add_stream_like(trial, companion)
        if name in MOV_FORMATS and companion.codec.startswith("pcm_") and _is_unnamed(stream.codec_context.layout):
            return False  # the MOV muxer rejects such a layout only at the end, when it writes its header
        trial.start_encoding()
        trial.close()
    except (av.FFmpegError, ValueError, OSError):
        return False
    return True


def _add_copied_stream(container: OutputContainer, companion: CompanionStream) -> Any:
    stream = _add_stream_like(container, companion)
    _copy_metadata(container, stream, companion)
    return stream


def _add_stream_like(container: OutputContainer, companion: CompanionStream) -> Any:
    # Opaque: the codec parameters are copied and no encoder is opened, so that codecs without one can be copied too.
    stream = container.add_stream_from_template(companion.handle, opaque=True)
    if companion.kind == "audio" and _is_unnamed(layout := stream.codec_context.layout):
        default = DEFAULT_LAYOUTS.get(layout.nb_channels)
        stream.codec_context.layout = layout if default is None else default
    return stream


def _is_unnamed(layout: av.AudioLayout) -> bool:
    """Whether only the number of channels is known, as for PCM in AVI and Matroska."""
    return layout.name.endswith(" channels")


def _copy_metadata(container: OutputContainer, stream: Any, companion: CompanionStream) -> None:
    stream.metadata.update(stream_metadata(container.format.name, companion.metadata))
    stream.disposition = int(companion.handle.disposition)
