"""How the packets of one stream beside the video reach the output: copied, re-encoded, or converted."""

from fractions import Fraction
from typing import Any, Final, Protocol, cast

import av
from av.subtitles.subtitle import SubtitleSet

from ..packets import Packet
from .subtitle_cues import JOINT, ConsecutiveCues, Cue

DIALOGUE_FIELDS: Final = 8
"""Fields before the text in an ASS event as FFmpeg gives it."""


class CompanionOutput(Protocol):
    """One output stream beside the video."""

    @property
    def stream(self) -> Any:
        """The container's stream."""
        ...

    @property
    def copies(self) -> bool:
        """Whether packets go into the output as they are."""
        ...

    @property
    def undecodable(self) -> int:
        """Packets so far that could not be decoded."""
        ...

    @property
    def decoded(self) -> bool:
        """Whether any could be."""
        ...

    def put(self, packet: Packet) -> list[Packet]:
        """Take a packet of the input's stream; the packets to write now."""
        ...

    def flush(self) -> list[Packet]:
        """The packets still held, at the end."""
        ...


class CopiedStream:
    """Passes packets on as they are, each with a decoding time, none of which is later than its presentation time."""

    copies = True
    undecodable = 0
    decoded = False

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self._next_dts = 0

    def put(self, packet: Packet) -> list[Packet]:
        packet.stream = self.stream
        dts = packet.dts if packet.dts is not None else packet.pts
        packet.dts = dts = self._next_dts if dts is None else dts
        packet.pts = dts if packet.pts is None else max(packet.pts, dts)
        self._next_dts = dts + max(1, packet.duration or 1)
        return [packet]

    def flush(self) -> list[Packet]:
        return []


class ReencodedAudio:
    """Decodes, resamples where needed, and encodes; samples keep their presentation times."""

    copies = False

    def __init__(self, source: av.AudioStream, stream: av.AudioStream) -> None:
        self._source, self.stream = source, stream
        self._resampler: av.AudioResampler | None = None
        self._input_format: tuple[str, str, int] | None = None
        """Sample format, layout and rate that the resampler was made for; inputs may change them midway."""
        self.undecodable = 0
        self.decoded = False

    def put(self, packet: Packet) -> list[Packet]:
        if packet.size == 0:
            return []  # as FLAC ends in NUT; it is no damage
        return [encoded for frame in self._decode(packet) for encoded in self._encode(frame)]

    def flush(self) -> list[Packet]:
        packets = [encoded for frame in self._decode(None) for encoded in self._encode(frame)]
        if self._input_format is None:
            return packets  # nothing was decoded, so the encoder has nothing to flush
        return packets + self._drain() + self.stream.encode(None)

    def _decode(self, packet: Packet | None) -> list[av.AudioFrame]:
        try:
            return self._source.codec_context.decode(packet)
        except av.error.EOFError:
            return []
        except (av.FFmpegError, ValueError):
            self.undecodable += 1  # the resampler fills the gap with silence
            return []

    def _encode(self, frame: av.AudioFrame) -> list[Packet]:
        self.decoded = True
        if frame.time_base is None:
            frame.time_base = self._source.time_base
        input_format = (frame.format.name, frame.layout.name, frame.sample_rate)
        packets: list[Packet] = []
        if input_format != self._input_format:
            packets += self._drain()
            self._resampler, self._input_format = self._new_resampler(), input_format
        assert self._resampler is not None
        for resampled in self._resampler.resample(frame):
            packets += self.stream.encode(resampled)
        return packets

    def _drain(self) -> list[Packet]:
        """Encode the samples that are still in the resampler."""
        if self._resampler is None:
            return []
        return [packet for frame in self._resampler.resample(None) for packet in self.stream.encode(frame)]

    def _new_resampler(self) -> av.AudioResampler:
        context = self.stream.codec_context
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

    copies = False

    def __init__(self, source: Any, stream: Any, *, consecutive: bool) -> None:
        """``consecutive``: the output shows one cue at a time, so those that overlap are joined."""
        self._source, self.stream = source, stream
        self._copy = CopiedStream(stream)
        self._cues = ConsecutiveCues() if consecutive else None
        self._head = b""
        self._unit = Fraction(1, 1000)
        self.undecodable = 0
        self.decoded = False

    def put(self, packet: Packet) -> list[Packet]:
        try:
            subtitles = self._source.codec_context.decode2(packet)
        except (av.FFmpegError, ValueError):
            self.undecodable += 1
            return []
        if subtitles is None or not len(subtitles) or packet.pts is None:
            return []
        self._unit, self.decoded = packet.time_base, True
        if self._cues is None or not packet.duration:
            return [*self.flush(), *self._write(subtitles, packet.pts, packet.duration or 0)]
        events = [rect.ass.split(b",", DIALOGUE_FIELDS) for rect in subtitles if rect.ass]
        texts = [event[-1].decode(errors="replace") for event in events]
        self._head = self._head or b",".join(events[0][:-1]) + b","
        cue = Cue(packet.pts, packet.pts + packet.duration, JOINT.join(texts))
        return self._write_cues(self._cues.add(cue))

    def flush(self) -> list[Packet]:
        return [] if self._cues is None else self._write_cues(self._cues.flush())

    def _write_cues(self, cues: list[Cue]) -> list[Packet]:
        packets = []
        for cue in cues:
            event = SubtitleSet.create(self._head + cue.text.encode(), start=0, end=cue.end - cue.start)
            packets += self._write(event, cue.start, cue.end - cue.start)
        return packets

    def _write(self, subtitles: Any, pts: int, duration: int) -> list[Packet]:
        encoded = cast(Packet, self.stream.codec_context.encode_subtitle(subtitles))
        encoded.pts, encoded.dts, encoded.duration, encoded.time_base = pts, pts, duration, self._unit
        return self._copy.put(encoded)
