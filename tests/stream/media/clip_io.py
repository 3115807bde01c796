"""Reads and writes clips: through sources and sinks, and with PyAV alone to see what was written."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from stream.media.sink import SinkOptions, VideoSink
from stream.media.source import SourceOptions, VideoSource


def process(given: Any, target: Any, part: SourceOptions | None = None, **options: Any) -> VideoSink:
    """Read everything and write it, without effects."""
    source = VideoSource(str(given), part)
    sink = VideoSink(str(target), source, SinkOptions(**options))
    try:
        for unit in source.units():
            sink.write(unit)
        sink.finish()
    except BaseException:
        sink.abort()
        raise
    finally:
        source.close()
    return sink


def decoded_frames(path: Any) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[0]))


def times(path: Any) -> list[Fraction]:
    return [frame.pts * frame.time_base for frame in decoded_frames(path)]


def packets(path: Any, index: int) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(container.streams[index]) if packet.size]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in found]


def samples(path: Any) -> tuple[float, np.ndarray[Any, Any]]:
    """When the audio starts, in seconds, and its first channel."""
    with av.open(str(path)) as container:
        stream, made = container.streams.audio[0], []
        frames = list(container.decode(stream))
        resampler = av.AudioResampler("fltp", "stereo", stream.codec_context.sample_rate)
        made = [piece for frame in frames for piece in resampler.resample(frame)]
        return float(frames[0].pts * frames[0].time_base), np.concatenate([piece.to_ndarray()[0] for piece in made])


def read(location: Any, **options: Any) -> tuple[VideoSource, list[Any]]:
    """The source, closed, and all its units."""
    source = VideoSource(str(location), SourceOptions(**options))
    units = list(source.units())
    source.close()
    return source, units


def frames_of(units: list[Any]) -> list[Any]:
    return [unit.frame for unit in units if unit.frame is not None]


def packets_of(units: list[Any]) -> list[Any]:
    return [packet for unit in units for packet in unit.packets]


def with_empty_packets(path: Path, target: Path, every: int) -> None:
    """Copy the video, with every so-many-th packet emptied, as Theora's encoder stores frames that repeat."""
    with av.open(str(path)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for number, packet in enumerate(one for one in given.demux(video=0) if one.size):
            kept: Any = av.Packet(b"") if number % every == every - 1 else packet
            kept.pts, kept.dts, kept.duration, kept.time_base = (
                packet.pts,
                packet.dts,
                packet.duration,
                packet.time_base,
            )
            kept.stream = stream
            made.mux(kept)


def with_late_audio(whole: Path, target: Path) -> Path:
    """A flash video without the announcement and the first second of its audio."""
    data = whole.read_bytes()
    kept, at = [data[:4], b"\1", data[5:13]], 13
    while at < len(data):
        size, time = int.from_bytes(data[at + 1 : at + 4]), int.from_bytes(data[at + 4 : at + 7])
        tag, at = data[at : at + size + 15], at + size + 15
        is_audio, is_script = tag[0] == 8, tag[0] == 18
        if not is_script and (not is_audio or time > 1000):
            kept.append(tag)
    target.write_bytes(b"".join(kept))
    return target
