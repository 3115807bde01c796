"""What a player finds in a file, read by PyAV: streams, times, tags. Input and output of a job are compared by it."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

KEPT_TAGS: Final = ("title", "artist", "comment", "date", "album")
"""Tags of a whole file that every container knows."""
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


@dataclass
class _Frames:
    """Frames of the main video stream as they come."""

    rate: float
    """Frames per second, for streams without times."""
    times: list[float] = field(default_factory=list)
    first: Any = None
    damaged: int = 0

    def add(self, packet: Any) -> None:
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            return
        for frame in frames:
            self.first = self.first or frame
            self.times.append(frame.time if frame.time is not None else len(self.times) / self.rate)


def facts_of(path: Path | str) -> Facts:
    """Read a whole file. Raises PyAV's errors where it cannot be opened, and ``ValueError`` where no frame is in it."""
    with av.open(str(path)) as container:
        video = container.streams.best("video")
        if video is None:
            raise ValueError("no video")
        frames, packets = _Frames(rate=float(video.average_rate or 25)), _Packets()
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
            times=tuple(sorted(frames.times)),
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
