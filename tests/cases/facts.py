"""What a player finds in a file, read by PyAV: streams, times, tags. Input and output of a job are compared by it."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

KEPT_TAGS: Final = ("title", "artist", "comment", "date", "album")
"""Tags of a whole file that every container knows."""
ROUNDING: Final = 1e-6
"""s, by which times in floating point may be off."""
UNSAID: Final = (None, 0, 2)
"""Values of colour tags that say nothing: absent, reserved, unspecified."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """An audio or subtitle stream."""

    kind: str
    rate: int = 0
    channels: int = 0
    language: str = ""
    start: float = 0.0
    """s, of the first packet."""
    end: float = 0.0
    """s, where the last packet ends."""
    packets: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is in a file."""

    size_wh: tuple[int, int]
    aspect: Fraction
    """Of a pixel; 1 where none is stated."""
    rotation: int
    """Degrees."""
    color: Mapping[str, int]
    """Tags that say something."""
    start: float
    """s, where the first stream begins."""
    times: tuple[float, ...]
    """s, of the frames as they are shown."""
    unit: float
    """s: what times are multiples of."""
    audio: tuple[Track, ...]
    subtitles: tuple[Track, ...]
    chapters: tuple[tuple[float, float, str], ...]
    tags: Mapping[str, str]
    damaged: int
    """Packets that cannot be decoded."""

    @property
    def intervals(self) -> list[float]:
        """s, from the first frame to each."""
        return [time - self.times[0] for time in self.times]

    def part(self, start: float, end: float) -> "Facts":
        """What should be in the part between two times, in s from the file's start; packets are whole."""
        first, last = self.start + start - ROUNDING, self.start + end - ROUNDING
        audio = [
            replace(track, start=max(track.start, self.start + start), end=min(track.end, self.start + end))
            for track in self.audio
        ]
        return replace(self, times=tuple(time for time in self.times if first <= time < last), audio=tuple(audio))


@dataclass
class _Frames:
    """Frames of the main video stream as they come."""

    rate: float
    """Frames per second, for streams without times."""
    by_decoding: bool
    """Whether packets have times of decoding alone, as in AVI; FFmpeg dates their frames in the wrong order."""
    stated: list[float | None] = field(default_factory=list)
    first: Any = None
    first_dts: float | None = None
    damaged: int = 0

    def add(self, packet: Any) -> None:
        if not self.stated and self.first_dts is None and packet.dts is not None:
            self.first_dts = float(packet.dts * packet.time_base)
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            return
        for frame in frames:
            self.first = self.first or frame
            self.stated.append(self._decoded_at(frame) if self.by_decoding else frame.time)

    def _decoded_at(self, frame: Any) -> float | None:
        return None if frame.dts is None else float(frame.dts * frame.time_base)

    @property
    def times(self) -> list[float]:
        """In order; what is missing lies a frame from its neighbour, the first ones before the first that is stated."""
        index, start = next(((n, time) for n, time in enumerate(self.stated) if time is not None), (0, 0.0))
        times: list[float] = [start - (index - n) / self.rate for n in range(index)]
        for time in self.stated[index:]:
            times.append(time if time is not None else times[-1] + 1 / self.rate if times else start)
        times.sort()
        # The first frame leaves the decoder later than its packet, and all others with it.
        delay = times[0] - (self.first_dts or 0.0) if self.by_decoding else 0.0
        return [time - delay for time in times]


def facts_of(path: Path | str) -> Facts:
    """Read a whole file. Raises PyAV's errors where it cannot be opened, and ``ValueError`` where no frame is in it."""
    with av.open(str(path)) as container:
        video = container.streams.best("video")
        if video is None:
            raise ValueError("no video")
        by_decoding = container.format.name == "avi"
        frames, packets = _Frames(rate=float(video.average_rate or 25), by_decoding=by_decoding), _Packets()
        for packet in _demuxed(container):
            if packet.stream.index == video.index:
                frames.add(packet)
            elif packet.size:
                packets.add(packet)
        if frames.first is None:
            raise ValueError("no frame")
        tracks = [packets.track_of(stream) for stream in container.streams if stream.type in ("audio", "subtitle")]
        return Facts(
            size_wh=(frames.first.width, frames.first.height),
            aspect=video.sample_aspect_ratio or Fraction(1),
            rotation=round(frames.first.rotation) % 360,
            color=_color_of(frames.first),
            start=(container.start_time or 0) / av.time_base,
            times=tuple(frames.times),
            unit=float(video.time_base),
            audio=tuple(track for track in tracks if track.kind == "audio"),
            subtitles=tuple(track for track in tracks if track.kind == "subtitle"),
            chapters=_chapters_of(container),
            tags={name: value for name, value in container.metadata.items() if name.lower() in KEPT_TAGS},
            damaged=frames.damaged,
        )


def _demuxed(container: Any) -> Iterator[Any]:
    """All packets; a damaged end ends it. PyAV's last, empty packets flush decoders."""
    known = len(container.streams)
    with contextlib.suppress(av.FFmpegError, IndexError):
        for packet in container.demux():
            yield packet
            if len(container.streams) != known:  # PyAV's flush would read past the streams that it began with
                return


@dataclass
class _Packets:
    """Times of packets by stream."""

    found: dict[int, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, packet: Any) -> None:
        time = packet.pts if packet.pts is not None else packet.dts
        if time is not None and packet.time_base:
            start, unit = float(time * packet.time_base), float(packet.time_base)
            self.found.setdefault(packet.stream.index, []).append((start, start + (packet.duration or 0) * unit))

    def track_of(self, stream: Any) -> Track:
        spans = self.found.get(stream.index, [])
        context = stream.codec_context
        return Track(
            kind=stream.type,
            rate=(context.sample_rate or 0) if stream.type == "audio" and context else 0,
            channels=context.layout.nb_channels if stream.type == "audio" and context else 0,
            language=stream.metadata.get("language", "").replace("und", ""),
            start=min((start for start, _ in spans), default=0.0),
            end=max((end for _, end in spans), default=0.0),
            packets=len(spans),
        )


def _color_of(frame: Any) -> dict[str, int]:
    tags = {
        "matrix": int(frame.colorspace),
        "range": int(frame.color_range),
        "primaries": frame.color_primaries,
        "transfer": frame.color_trc,
    }
    return {name: int(value) for name, value in tags.items() if value not in UNSAID or (name == "range" and value == 2)}


def _chapters_of(container: Any) -> tuple[tuple[float, float, str], ...]:
    return tuple(
        (
            round(float(one["start"] * one["time_base"]), 2),
            round(float(one["end"] * one["time_base"]), 2),
            one["metadata"].get("title", ""),
        )
        for one in container.chapters()
    )
