"""Audio for containers that store its packets without times: what starts late, or pauses, is filled with silence."""

import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final, cast

import av

from ..packets import Packet
from .companion_writers import CompanionOutput

UNTIMED_FORMATS: Final = frozenset({"avi", "mxf", "mxf_opatom", "gxf", "dv"})
"""Containers that place audio by counting it from the start."""
TOLERANCE_SECONDS: Final = Fraction(1, 50)
"""Shorter gaps come from rounded times; half a packet is tolerated too."""
CHUNK_SECONDS: Final = Fraction(1, 10)
"""Length of a packet of silent PCM."""
FRAMED_CODECS: Final = frozenset({"mp2", "mp3", "ac3", "eac3"})
"""Compressed audio whose packets stand for themselves, so that silent ones may be put between them. So do those of AAC,
if they agree with its header."""
_LINEAR: Final = re.compile(r"pcm_[fs](\d+)[bl]?e?")
_SILENT_BYTE: Final = {"pcm_u8": 0x80, "pcm_alaw": 0xD5, "pcm_mulaw": 0xFF}


class ContinuousAudio:
    """Passes packets of audio on without gaps between them, and drops those that overlap."""

    def __init__(
        self, inner: CompanionOutput, source: av.AudioCodecContext | None, label: str, warn: Callable[[str], None]
    ) -> None:
        """``inner`` makes the packets; ``source`` describes them, by default the stream that they belong to."""
        self._inner, self._source, self._label, self._warn = inner, source, label, warn
        self._end = Fraction(0)
        """Of what was passed on, in seconds."""

    @property
    def stream(self) -> Any:
        return self._inner.stream

    @property
    def copies(self) -> bool:
        return self._inner.copies

    @property
    def undecodable(self) -> int:
        return self._inner.undecodable

    @property
    def decoded(self) -> bool:
        return self._inner.decoded

    def put(self, packet: Packet) -> list[Packet]:
        return [ready for one in self._inner.put(packet) for ready in self._placed(one)]

    def flush(self) -> list[Packet]:
        return [ready for one in self._inner.flush() for ready in self._placed(one)]

    def fill(self, end: Fraction) -> list[Packet]:
        """Silence after all packets, up to ``end`` in seconds, for containers that end with the shorter stream."""
        if self._end > end + CHUNK_SECONDS:
            self._warn(
                f"The container ends with the video: {float(self._end - end):.1f} s of {self._label} are left out."
            )
        return list(self._silence(end - self._end)) if end > self._end else []

    def _placed(self, packet: Packet) -> Iterator[Packet]:
        """The packet after the silence before it; nothing where its time is over."""
        if packet.pts is None:
            yield packet
            return
        start, duration = packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base
        gap, tolerance = start - self._end, max(TOLERANCE_SECONDS, duration / 2)
        if gap < -tolerance:
            return
        if gap > tolerance:
            yield from self._silence(gap)
        self._end = start + duration
        yield packet

    def _silence(self, seconds: Fraction) -> Iterator[Packet]:
        source = self._source or cast(av.AudioCodecContext, self.stream.codec_context)
        pieces = silence(source, seconds)
        if pieces is None:
            self._warn(
                f"The container stores no times of audio, and {self._label} pauses: it is early after that. "
                "Choose another container, or set the option output.audio to aac."
            )
            return
        for content, length in pieces:
            packet: Packet = av.Packet(content)
            packet.stream, packet.time_base = self.stream, Fraction(1, source.sample_rate)
            packet.pts = packet.dts = round(self._end / packet.time_base)
            packet.duration = round(length / packet.time_base)
            packet.is_keyframe = True
            self._end += length
            yield packet


def silence(source: av.AudioCodecContext, seconds: Fraction) -> Iterator[tuple[bytes, Fraction]] | None:
    """Silent packets of the codec that ``source`` decodes or encodes, each with its length in seconds.

    Together they come nearest to ``seconds``. ``None`` for codecs of which silence cannot be made.
    """
    name = source.codec.canonical_name
    if name in FRAMED_CODECS or (name == "aac" and source.profile == "LC"):
        content, length = _silent_frame(source, name)
        return iter([(content, length)] * round(seconds / length))
    linear = _LINEAR.fullmatch(name)
    if linear is None and name not in _SILENT_BYTE:
        return None
    width = source.layout.nb_channels * (int(linear[1]) // 8 if linear else 1)
    return _pcm(_SILENT_BYTE.get(name, 0), width, source.sample_rate, seconds)


def _pcm(value: int, width: int, rate: int, seconds: Fraction) -> Iterator[tuple[bytes, Fraction]]:
    samples, chunk = round(seconds * rate), round(CHUNK_SECONDS * rate)
    whole = bytes([value]) * (width * chunk)
    for start in range(0, samples, chunk):
        count = min(chunk, samples - start)
        yield whole[: width * count], Fraction(count, rate)


def _silent_frame(source: av.AudioCodecContext, name: str) -> tuple[bytes, Fraction]:
    """A packet from the middle of encoded silence, and its length in seconds."""
    encoder = cast(av.AudioCodecContext, av.CodecContext.create(name, "w"))
    encoder.sample_rate, encoder.layout = source.sample_rate, source.layout
    encoder.time_base = Fraction(1, source.sample_rate)
    encoder.format = (encoder.codec.audio_formats or [source.format])[0]
    if source.bit_rate:
        encoder.bit_rate = source.bit_rate
    encoder.open()
    packets: list[Any] = []
    for index in range(4):
        frame = av.AudioFrame(format=encoder.format.name, layout=source.layout, samples=encoder.frame_size)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts, frame.time_base = (
            source.sample_rate,
            index * encoder.frame_size,
            encoder.time_base,
        )
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    return bytes(packets[2]), Fraction(encoder.frame_size, source.sample_rate)
