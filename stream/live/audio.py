"""Sound beside a live picture: packets that outlive the input they came from."""

import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import av

from ..media.companion_streams import AudioPolicy, CompanionOutput, add_companions
from ..media.packets import Packet
from ..media.source_facts import CompanionStream

NARROW_FORMATS: Final = {
    "flv": frozenset({"aac", "mp3"}),
    "mp4": frozenset({"aac", "mp3", "ac3", "eac3", "opus"}),
    "mov": frozenset({"aac", "mp3", "ac3", "eac3", "opus"}),
}
"""Formats that FFmpeg puts more into than players and servers take out, and what these do take."""


@dataclass(frozen=True, kw_only=True)
class AudioFormat:
    """What a decoder must know of a stream of sound. Equal forms can be told by one decoder."""

    codec: str
    """FFmpeg's name, such as ``aac``."""
    rate: int
    """Samples a second."""
    layout: str
    """FFmpeg's name of the channels' layout."""
    extradata: bytes
    prototype: av.AudioStream = field(compare=False, repr=False)

    @classmethod
    def of(cls, stream: av.AudioStream) -> "AudioFormat":
        """The form of an input's stream, whole after the input is closed."""
        context = stream.codec_context
        return cls(
            codec=context.codec.canonical_name,
            rate=context.sample_rate,
            layout=context.layout.name,
            extradata=context.extradata or b"",
            prototype=_detached(stream),
        )

    def stream(self) -> av.AudioStream:
        """A stream of this form with a decoder of its own, for one thread."""
        return _detached(self.prototype)


@dataclass(frozen=True, kw_only=True)
class AudioPacket:
    """Encoded sound with its place on the timeline. Values alone, so any number of outputs may take it."""

    form: AudioFormat
    data: bytes
    pts: int
    """In units of ``time_base``, as ``dts`` and ``duration``."""
    dts: int
    duration: int
    time_base: Fraction

    @classmethod
    def of(cls, packet: Packet, form: AudioFormat) -> "AudioPacket | None":
        """The packet's content; ``None`` where it has no time."""
        pts = packet.pts if packet.pts is not None else packet.dts
        if pts is None:
            return None
        dts = packet.dts if packet.dts is not None else pts
        return cls(
            form=form,
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
        """A packet of its own, with times counted from ``origin_s``."""
        packet: Packet = av.Packet(self.data)
        offset = round(origin_s / self.time_base)
        packet.time_base = self.time_base
        packet.pts, packet.dts, packet.duration = self.pts - offset, self.dts - offset, self.duration
        return packet


def add_sound(
    container: av.container.OutputContainer, form: AudioFormat, warnings: list[str]
) -> CompanionOutput | None:
    """A stream for the sound: copied where the container takes its codec, else encoded anew.

    What is converted or left out is told in ``warnings``.
    """
    taken = NARROW_FORMATS.get(container.format.name)
    policy: AudioPolicy = "copy" if taken is None or form.codec in taken else "aac"
    companion = CompanionStream(index=0, kind="audio", codec=form.codec, metadata={}, handle=form.stream())
    if policy == "aac":
        warnings.append(f"{container.format.name} is mostly played with other sound than {form.codec}; it becomes aac.")
    return add_companions(container, [companion], policy, warnings).get(0)


def _detached(stream: av.AudioStream) -> av.AudioStream:
    """The stream's description in a container that exists in memory alone, never written."""
    holder = av.open(io.BytesIO(), "w", format="nut")
    made = holder.add_stream_from_template(stream, opaque=True)
    assert isinstance(made, av.AudioStream)
    return made
