"""Whether a container takes the packets of a stream as they are, which its header does not tell: before, and after."""

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer

from ..packets import Packet
from .muxer import Muxer


def takes_packets(format_name: str, add: Callable[[OutputContainer], Any], packets: Sequence[Packet]) -> bool:
    """Whether the container takes any of the packets, or none are given; ``add`` gives it their stream."""
    copies = [_copy(packet) for packet in packets]
    muxer: Muxer | None = None
    # What else is wrong with a file of this stream alone is no reason against the stream.
    with contextlib.suppress(av.FFmpegError, ValueError, OSError):
        trial = av.open(io.BytesIO(), "w", format=format_name)
        stream = add(trial)
        for packet in copies:
            packet.stream = stream
        muxer = Muxer(trial)
        muxer.write(copies, copied=True)
        muxer.close()
    return muxer is None or not copies or muxer.refused < len(copies)


def keeps_times(format_name: str, add: Callable[[OutputContainer], Any], packets: Sequence[Packet]) -> bool:
    """Whether the packets come back as far from each other as they are; also where that cannot be tried.

    AVI counts audio in bytes or in packets, by what the input's header says of their size.
    """
    copies = [_copy(packet) for packet in packets if packet.pts is not None]
    file = io.BytesIO()
    times: list[Fraction] = []
    with contextlib.suppress(av.FFmpegError, ValueError, OSError):
        with av.open(file, "w", format=format_name) as trial:
            stream = add(trial)
            for packet in copies:
                packet.stream = stream
                trial.mux(packet)
        file.seek(0)
        with av.open(file, "r") as made:
            times = [_seconds(packet) for packet in made.demux(audio=0) if packet.size]
    if len(copies) < 2 or len(times) < 2:
        return True
    expected = _seconds(packets[-1]) - _seconds(packets[0])
    return abs(times[-1] - times[0] - expected) < expected / (len(copies) - 1)


def streams_without_packets(name: str, indices: Iterable[int]) -> list[int]:
    """Those of the streams of a file that hold nothing; none where it cannot be read."""
    empty = dict.fromkeys(indices)
    with contextlib.suppress(av.FFmpegError, OSError), av.open(name) as made:
        for packet in made.demux():
            if packet.size:
                empty.pop(packet.stream.index, None)
            if not empty:
                break
        return list(empty)
    return []


def _seconds(packet: Packet) -> Fraction:
    return (packet.pts or 0) * packet.time_base


def _copy(packet: Packet) -> Packet:
    copy: Packet = av.Packet(bytes(packet))
    copy.pts, copy.dts, copy.duration, copy.time_base = packet.pts, packet.dts, packet.duration, packet.time_base
    copy.is_keyframe = packet.is_keyframe
    return copy
