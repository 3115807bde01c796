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
DOUBTFUL_SECONDS: Final = 60
"""A packet behind a longer gap may have a damaged time, so it waits for one that continues it."""
LONGEST_SECONDS: Final = 3600
"""No longer gap is filled."""
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
        self._doubtful: Packet | None = None
        """The packet behind a long gap."""
        self._misplaced = 0
        """Packets left out because their times lie far from those before and after."""

    @property
    def stream(self) -> Any:
        return self._inner.stream

    @property
    def copies(self) -> bool:
        return self._inner.copies

    @property
    def undecodable(self) -> int:
        return self._inner.undecodable + self._misplaced

    @property
    def decoded(self) -> bool:
        return self._inner.decoded

    def put(self, packet: Packet) -> list[Packet]:
        return [ready for one in self._inner.put(packet) for ready in self._placed(one)]

    def flush(self) -> list[Packet]:
        packets = [ready for one in self._inner.flush() for ready in self._placed(one)]
        self._drop_doubtful()
        return packets

    def fill(self, end: Fraction) -> list[Packet]:
        """Silence after all packets, up to ``end`` in seconds, for containers that end with the shorter stream."""
        if self._end > end + CHUNK_SECONDS:
            self._warn(
                f"The container ends with the video: {float(self._end - end):.1f} s of {self._label} are left out."
            )
        return list(self._silence(end - self._end)) if end > self._end else []

    def _placed(self, packet: Packet) -> Iterator[Packet]:
        """The packet after the silence before it; nothing where its time is over, or while it is doubtful."""
        if packet.pts is None:
            yield packet
            return
        for one in self._trusted(packet):
            start, duration = _span(one)
            gap = start - self._end
            if gap < -_tolerance(one):
                continue
            if gap > _tolerance(one):
                yield from self._silence(gap)
            self._end = start + duration
            yield one

    def _trusted(self, packet: Packet) -> list[Packet]:
        """The packets that may be placed now."""
        doubtful, start = self._doubtful, _span(packet)[0]
        if doubtful is not None and abs(start - sum(_span(doubtful))) <= _tolerance(doubtful):
            self._doubtful = None
            return [doubtful, packet]
        self._drop_doubtful()
        if start - self._end > DOUBTFUL_SECONDS:
            self._doubtful = packet
            return []
        return [packet]

    def _drop_doubtful(self) -> None:
        self._misplaced += self._doubtful is not None
        self._doubtful = None

    def _silence(self, seconds: Fraction) -> Iterator[Packet]:
        source = self._source or cast(av.AudioCodecContext, self.stream.codec_context)
        pieces = silence(source, seconds) if seconds <= LONGEST_SECONDS else None
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


def _span(packet: Packet) -> tuple[Fraction, Fraction]:
    """Start and duration of a packet that has a time, in seconds."""
    assert packet.pts is not None
    return packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base


def _tolerance(packet: Packet) -> Fraction:
    return max(TOLERANCE_SECONDS, _span(packet)[1] / 2)


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
