"""Audio beside a live video: packets that outlive the input they came from."""

import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import av

from ..media.companion_streams import add_companions
from ..media.packets import Packet
from ..media.source_info import CompanionStream
from ..media.writing.companion_writers import CompanionOutput
from ..media.writing.sink_options import AudioPolicy

WIDELY_PLAYED: Final = {
    "flv": frozenset({"aac", "mp3"}),
    "mp4": frozenset({"aac", "mp3", "ac3", "eac3", "opus"}),
    "mov": frozenset({"aac", "mp3", "ac3", "eac3", "opus"}),
}
"""Audio codecs that players and servers accept in containers in which FFmpeg writes more."""
HEADER_FORMATS: Final = frozenset({"matroska", "mp4", "mov"})
"""Containers that store a codec's header before the first packet, so that it cannot be added later in a stream."""


@dataclass(frozen=True, kw_only=True)
class AudioFormat:
    """What a decoder must know of an audio stream. One decoder can decode all packets of equal formats."""

    codec: str
    """FFmpeg's name, such as ``aac``."""
    rate: int
    """Samples per second."""
    layout: str
    """FFmpeg's name of the channel layout."""
    extradata: bytes
    prototype: av.AudioStream = field(compare=False, repr=False)

    @classmethod
    def of(cls, stream: av.AudioStream) -> "AudioFormat":
        """The format of an input's stream; it stays valid after the input is closed."""
        context = stream.codec_context
        return cls(
            codec=context.codec.canonical_name,
            rate=context.sample_rate,
            layout=context.layout.name,
            extradata=context.extradata or b"",
            prototype=_detached(stream),
        )

    def stream(self) -> av.AudioStream:
        """A stream of this format with a decoder of its own, for one thread."""
        return _detached(self.prototype)


@dataclass(frozen=True, kw_only=True)
class AudioPacket:
    """Encoded audio with its place on the timeline. A plain value, so any number of outputs may share it."""

    format: AudioFormat
    data: bytes
    pts: int
    """In units of ``time_base``, as ``dts`` and ``duration``."""
    dts: int
    duration: int
    time_base: Fraction

    @classmethod
    def of(cls, packet: Packet, format: AudioFormat) -> "AudioPacket | None":
        """The packet's content; ``None`` where it has no timestamp."""
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            return None
        dts = packet.dts if packet.dts is not None else pts
        return cls(
            format=format,
            data=bytes(packet),
            pts=pts,
            dts=dts,
            duration=packet.duration or 0,
            time_base=packet.time_base,
        )

    @property
    def time(self) -> float:
        """In seconds on the timeline."""
        return float(self.pts * self.time_base)

    def packet_after(self, origin_s: Fraction) -> Packet:
        """A new packet, with times counted from ``origin_s``."""
        packet: Packet = av.Packet(self.data)
        offset = round(origin_s / self.time_base)
        packet.time_base = self.time_base
        packet.pts, packet.dts, packet.duration = self.pts - offset, self.dts - offset, self.duration
        return packet


def add_audio(
    container: av.container.OutputContainer, format: AudioFormat, warnings: list[str], *, seekable: bool = True
) -> CompanionOutput | None:
    """An audio stream for ``format``: copied where players of the container accept its codec, else encoded as AAC.

    ``seekable``: what was written can be changed later. What is converted or left out is added to ``warnings``.
    """
    name = container.format.name
    accepted = WIDELY_PLAYED.get(name)
    policy: AudioPolicy = "copy"
    if accepted is not None and format.codec not in accepted:
        policy = "aac"
        warnings.append(f"Few players accept {format.codec} audio in {name}; it is encoded as AAC.")
    elif format.codec == "aac" and not format.extradata and name in HEADER_FORMATS and not seekable:
        # MPEG-TS repeats AAC's header in every packet instead; FFmpeg moves it, but only into a file.
        policy = "aac"
        warnings.append(f"The AAC audio lacks the header that {name} needs; it is encoded anew.")
    companion = CompanionStream(index=0, kind="audio", codec=format.codec, metadata={}, handle=format.stream())
    return add_companions(container, [companion], policy, warnings).get(0)


def _detached(stream: av.AudioStream) -> av.AudioStream:
    """The stream's parameters in a container in memory that is never written."""
    holder = av.open(io.BytesIO(), "w", format="nut")
    copy = holder.add_stream_from_template(stream, opaque=True)
    assert isinstance(copy, av.AudioStream)
    return copy
