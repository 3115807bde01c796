"""Which streams beside the video the output gets, and how: copied where the container accepts them, else converted."""

import contextlib
import io
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final, cast

import av
from av.codec import Codec
from av.container import OutputContainer
from av.stream import Disposition

from .probe import ALL_CUES_ARE_FORCED, TIMED_TEXT
from .source_info import CompanionStream
from .writing.acceptance import keeps_times, takes_packets
from .writing.companion_writers import CompanionOutput, ConvertedSubtitles, CopiedStream, ReencodedAudio
from .writing.continuous_audio import UNTIMED_FORMATS, ContinuousAudio
from .writing.metadata import MOV_FORMATS, language_is_lost, lost_flags, stream_metadata
from .writing.sink_options import AudioPolicy

AUDIO_ENCODERS: Final = {
    **dict.fromkeys(("webm", "ogg", "ogv"), "libopus"),
    **dict.fromkeys(("mpeg", "vob", "dvd", "svcd", "vcd"), "mp2"),
    **dict.fromkeys(("mxf", "mxf_opatom", "gxf", "dv"), "pcm_s16le"),
    "avi": "libmp3lame",
}
"""The encoder for audio that cannot be copied, by container format; AAC for all others."""
LOSSLESS_ENCODERS: Final = {"matroska": "flac"}
"""The encoder, by container format, for audio that decodes to 16 bits in one exact way."""
SIXTEEN_BITS: Final = ("pcm_alaw", "pcm_mulaw", "adpcm_")
"""Beginnings of the names of such codecs. Matroska holds them under Windows' names, for which PyAV has no way:
it asks the muxer for what belongs to the container's own names alone."""
STUDIO_RATE: Final = 48_000
"""Samples per second that every container takes, and MXF alone."""
DEEP_AUDIO: Final = ("pcm_s24", "pcm_s32", "pcm_f", "pcm_bluray")
"""Beginnings of the names of codecs with more than 16 bits per sample."""
SUBTITLE_ENCODERS: Final = {
    **dict.fromkeys(("mp4", "mov", "ipod", "3gp"), TIMED_TEXT),
    "matroska": "subrip",
    "webm": "webvtt",
}
PLAYABLE: Final = {
    "mpegts": frozenset(
        {"mp2", "mp3", "aac", "ac3", "eac3", "dts", "truehd", "opus", "aac_latm", "s302m"}
        | {"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}
    ),
    **dict.fromkeys(
        ("mpeg", "vob", "dvd", "svcd", "vcd"), frozenset({"mp1", "mp2", "mp3", "ac3", "dts", "pcm_dvd", "dvd_subtitle"})
    ),
    "flv": frozenset({"aac", "mp3", "speex", "nellymoser", "adpcm_swf", "pcm_alaw", "pcm_mulaw"}),
}
"""What players understand in containers into which FFmpeg writes more, such as private data."""
SEGMENT_FORMATS: Final = {"hls": "mpegts", "dash": "mp4", "rtsp": "mpegts"}
"""The container inside formats that write several files, or none."""
ATTACHING_FORMATS: Final = frozenset({"matroska"})
COVER_FORMATS: Final = frozenset({"mp4", "ipod"})
COVER_TYPES: Final = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
"""File name and MIME type of cover art as a Matroska attachment, by codec; players look for these names."""
DEFAULT_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Channel layouts by number of channels, where the input does not name one; the same as FFmpeg's defaults."""
BITS_PER_CHANNEL: Final = 80_000
"""Bits per second and channel of re-encoded audio."""
LOST_IN_AVI: Final = frozenset({"vorbis", "aac_latm", "dts", "eac3", "flac", "speex"})
"""Codecs that FFmpeg puts into AVI in a way in which their packets have wrong times."""
ADTS_SYNC: Final = b"\xff"
"""The first byte of AAC whose packets state what they are."""


def add_companions(
    container: OutputContainer,
    companions: Sequence[CompanionStream],
    audio: AudioPolicy,
    warnings: list[str],
    *,
    video: av.VideoStream | None = None,
) -> dict[int, CompanionOutput]:
    """Add an output stream for every companion that the container can hold; by the input stream's index.

    ``video`` has the parameters of the output's video, if that is known. ``warnings`` gets a line for each stream that
    is converted or left out.
    """
    builder = _Builder(container, audio, warnings, video)
    outputs = ((companion.index, builder.add(companion)) for companion in companions)
    return {index: output for index, output in outputs if output is not None}


class _Builder:
    """Adds companions to one container, one after the other."""

    def __init__(
        self, container: OutputContainer, audio: AudioPolicy, warnings: list[str], video: av.VideoStream | None
    ) -> None:
        self._container, self._format = container, container.format.name
        self._audio, self._warnings = audio, warnings
        self._there: list[Callable[[OutputContainer], Any]] = []
        """Adds each stream that the output has to a container of the same format."""
        if video is not None:
            self._there.append(lambda trial: trial.add_stream_from_template(video, opaque=True))

    def add(self, companion: CompanionStream) -> CompanionOutput | None:
        if companion.kind == "audio":
            output = self._add_audio(companion)
            return output if output is None or self._format not in UNTIMED_FORMATS else self._filled(output, companion)
        return self._add_subtitles(companion) if companion.kind == "subtitle" else self._add_file(companion)

    def _filled(self, output: CompanionOutput, companion: CompanionStream) -> CompanionOutput:
        """The output with silence where the audio has gaps, which the container cannot store."""
        source = companion.handle.codec_context if output.copies else None
        return ContinuousAudio(output, source, companion.label, self._warnings.append)

    def _add_audio(self, companion: CompanionStream) -> CompanionOutput | None:
        if self._audio == "none":
            return None
        if self._audio == "copy" and self._accepts(companion):
            return self._copy(companion)
        encoder = self._audio_encoder(companion)
        stream = self._encoded_audio(companion, encoder) if self._holds_audio else None
        if stream is None:
            self._warn_left_out(companion)
            return None
        if self._audio == "copy" or encoder != "aac":
            self._warn_conversion(companion, encoder)
        layout, channels = stream.codec_context.layout, companion.handle.codec_context.layout.nb_channels
        if layout.nb_channels < channels:
            self._warnings.append(f"{encoder} has no {channels} channels: {companion.label} becomes {layout.name}.")
        return ReencodedAudio(companion.handle, stream)

    @property
    def _holds_audio(self) -> bool:
        """Whether this is more than a format for video alone, which FFmpeg would let hold anything."""
        return self._container.default_audio_codec != "none"

    def _audio_encoder(self, companion: CompanionStream) -> str:
        if self._audio == "copy" and self._format in LOSSLESS_ENCODERS and companion.codec.startswith(SIXTEEN_BITS):
            return LOSSLESS_ENCODERS[self._format]
        encoder = AUDIO_ENCODERS.get(self._format, "aac")
        return "pcm_s24le" if encoder == "pcm_s16le" and companion.codec.startswith(DEEP_AUDIO) else encoder

    def _encoded_audio(self, companion: CompanionStream, encoder: str) -> av.AudioStream | None:
        source = companion.handle.codec_context
        fewer_channels = ["5.1"] * (source.layout.nb_channels > 6) + ["stereo"]
        for rate in _rates(encoder, source.sample_rate):
            for layout in (_named(source.layout), *fewer_channels):

                def add(target: OutputContainer, rate: int = rate, layout: Any = layout) -> av.AudioStream:
                    return _new_audio(target, encoder, rate, layout)

                # A stream cannot be removed again, so it is tried elsewhere first.
                if self._fits(add):
                    stream = add(self._container)
                    self._there.append(add)
                    self._describe(stream, companion)
                    return stream
        return None

    def _add_subtitles(self, companion: CompanionStream) -> CompanionOutput | None:
        if self._accepts(companion):
            return self._copy(companion)
        encoder = SUBTITLE_ENCODERS.get(self._format)
        if encoder is None or not companion.handle.codec_context.codec.text_sub:
            self._warn_left_out(companion)
            return None
        source = companion.handle.codec_context
        source.open(strict=False)
        stream = cast(Any, self._container.add_stream(encoder))
        # The ASS header, with the styles that the decoded lines refer to: encoders refuse to open without it.
        stream.codec_context.subtitle_header = source.subtitle_header
        stream.codec_context.time_base = stream.time_base = companion.handle.time_base
        stream.codec_context.open()
        self._describe(stream, companion)
        self._warn_conversion(companion, encoder)
        return ConvertedSubtitles(companion.handle, stream, consecutive=encoder == TIMED_TEXT)

    def _add_file(self, companion: CompanionStream) -> CompanionOutput | None:
        """Add cover art or an attached file."""
        container = self._container
        if companion.kind == "attachment" and self._format in ATTACHING_FORMATS:
            title, mimetype = companion.metadata.get("filename", "attachment"), companion.metadata.get("mimetype", "")
            container.add_attachment(title, mimetype, companion.content)
        elif companion.codec in COVER_TYPES and companion.content and self._format in ATTACHING_FORMATS:
            container.add_attachment(*COVER_TYPES[companion.codec], companion.content)
        elif companion.kind == "cover" and self._format in COVER_FORMATS and self._accepts(companion):
            return self._copy(companion)
        else:
            self._warn_left_out(companion)
        return None

    def _copy(self, companion: CompanionStream) -> CopiedStream:
        stream = _add_stream_like(self._container, companion)
        self._there.append(lambda trial: _add_stream_like(trial, companion))
        self._describe(stream, companion)
        return CopiedStream(stream)

    def _accepts(self, companion: CompanionStream) -> bool:
        """Whether the container holds the stream's packets as they are."""
        if not self._holds_audio or companion.codec not in PLAYABLE.get(self._format, {companion.codec}):
            return False
        if not self._fits(lambda trial: _checked(_add_stream_like(trial, companion), self._format, companion)):
            return False
        trial = self._plain_format, lambda trial: _add_stream_like(trial, companion), companion.beginning
        return takes_packets(*trial) and (self._format != "avi" or keeps_times(*trial))

    @property
    def _plain_format(self) -> str:
        """The format of the one file that a trial writes."""
        return SEGMENT_FORMATS.get(self._format, self._format)

    def _fits(self, add: Callable[[OutputContainer], Any]) -> bool:
        """Whether the container takes one more stream beside those that it has.

        FFmpeg has no list of that, so a header with all of them is written to memory.
        """
        trial = av.open(io.BytesIO(), "w", format=self._plain_format)
        try:
            for add_known in self._there:
                add_known(trial)
            add(trial)
            trial.start_encoding()
        except (av.FFmpegError, ValueError, OSError):
            return False
        finally:
            with contextlib.suppress(av.FFmpegError, ValueError, OSError):
                trial.close()  # some muxers cannot end a file that holds nothing
        return True

    def _describe(self, stream: Any, companion: CompanionStream) -> None:
        """Give the output's stream the input's metadata and marks."""
        stream.metadata.update(stream_metadata(self._format, companion.metadata))
        stream.disposition = companion.disposition
        lost = lost_flags(self._format, companion.disposition)
        if companion.disposition & Disposition.forced and _mark_as_forced(stream) and "forced" in lost:
            lost.remove("forced")
            self._warnings.append(f"{self._format} marks {companion.label} as forced for QuickTime alone; mp4 for all.")
        if lost:
            self._warnings.append(f"{self._format} cannot mark {companion.label} as {' and '.join(lost)}; mp4 can.")
        if language_is_lost(self._format, stream.metadata.get("language", "")):
            self._warnings.append(f"{self._format} has no code for the language of {companion.label}; mp4 has.")

    def _warn_conversion(self, companion: CompanionStream, encoder: str) -> None:
        self._warnings.append(
            f"{self._format} does not support {companion.label} as it is: it is converted to {encoder}."
        )

    def _warn_left_out(self, companion: CompanionStream) -> None:
        self._warnings.append(f"{self._format} cannot hold {companion.label}: it is left out.")


def _checked(stream: Any, format_name: str, companion: CompanionStream) -> Any:
    """The stream, unless its header would only be rejected at the end; raises ValueError then."""
    if format_name in MOV_FORMATS and companion.codec.startswith("pcm_") and _is_unnamed(stream.codec_context.layout):
        raise ValueError("MOV needs the names of the channels of PCM")
    if format_name == "avi" and companion.codec in LOST_IN_AVI:
        raise ValueError("AVI needs packets of one length that FFmpeg knows")
    if SEGMENT_FORMATS.get(format_name, format_name) == "mpegts" and companion.codec == "aac" and _is_bare(companion):
        raise ValueError("MPEG-TS needs to know what every packet of AAC states in it")
    return stream


def _is_bare(aac: CompanionStream) -> bool:
    """Whether neither the stream nor its packets have the header by which AAC is decoded elsewhere."""
    return not aac.handle.codec_context.extradata and any(bytes(packet)[:1] != ADTS_SYNC for packet in aac.beginning)


def _mark_as_forced(stream: Any) -> bool:
    """Mark timed text in its description, where QuickTime looks; whether it is such."""
    context = stream.codec_context
    if context.codec.canonical_name != TIMED_TEXT or not context.extradata:
        return False
    flags = context.extradata[0] | ALL_CUES_ARE_FORCED
    context.extradata = bytes([flags]) + context.extradata[1:]
    return True


def _rates(encoder: str, rate: int) -> Iterator[int]:
    """Sample rates to encode audio of ``rate`` in, the best first."""
    supported = Codec(encoder, "w").audio_rates
    if supported:
        sufficient = [known for known in supported if known >= rate]
        yield min(sufficient) if sufficient else max(supported)
    else:
        yield from dict.fromkeys((rate, STUDIO_RATE))


def _new_audio(container: OutputContainer, encoder: str, rate: int, layout: Any) -> av.AudioStream:
    """An audio stream whose encoder is open. Raises FFmpeg's errors and ValueError."""
    stream = container.add_stream(encoder, rate=rate)
    assert isinstance(stream, av.AudioStream)
    context: Any = stream.codec_context
    context.layout, context.time_base = layout, Fraction(1, rate)
    context.bit_rate = BITS_PER_CHANNEL * context.layout.nb_channels
    if context.codec.audio_formats:
        context.format = context.codec.audio_formats[0]
    context.open()
    return stream


def _add_stream_like(container: OutputContainer, companion: CompanionStream) -> Any:
    # Opaque: the codec parameters are copied and no encoder is opened, so that codecs without one can be copied too.
    stream = container.add_stream_from_template(companion.handle, opaque=True)
    if companion.kind == "audio":
        stream.codec_context.layout = _named(stream.codec_context.layout)
    return stream


def _named(layout: av.AudioLayout) -> Any:
    """The layout, or the default one for its number of channels where only that is known."""
    return DEFAULT_LAYOUTS.get(layout.nb_channels, layout) if _is_unnamed(layout) else layout


def _is_unnamed(layout: av.AudioLayout) -> bool:
    """Whether only the number of channels is known, as for PCM in AVI and Matroska."""
    return layout.name.endswith(" channels")
