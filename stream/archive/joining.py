"""Joins the pieces of a film: their packets as they are, with the times of the plan, and everything else of the input.

Each piece is a closed group of frames by the same encoder with the same settings, so its packets follow those of the
piece before. Their presentation times come from the plan, by rank, because containers round times. Decoding times are
the film's presentation times, later by the encoder's delay, as the encoder itself would give them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import av

from emocolor.errors import SourceError

from ..files.stop_request import StopRequest
from ..media.packets import Packet
from ..media.sink import VideoSink
from ..media.source import VideoSource
from ..media.writing.encoded_video import EncodedStream
from ..settings import JobSettings
from .manifest import Manifest, Piece


class JoinError(SourceError):
    """A piece does not fit the plan, or the others."""

    def __init__(self, piece: Piece, video: Path, what: str) -> None:
        super().__init__(f"Piece {piece.index} {what}. Remove {video} and try again.")
        self.video = video
        """The piece's file."""


def join_pieces(
    manifest: Manifest,
    videos: Sequence[Path],
    settings: JobSettings,
    output: str,
    *,
    stop: StopRequest | None = None,
    progress: Callable[[int], None] = lambda frames: None,
) -> list[str]:
    """Write the film to ``output``; its file appears when it is whole. Returns what a user should know, a line each.

    ``videos``: the pieces' files, in order. ``progress`` is told the frames so far. Raises ``JoinError`` for pieces
    that do not fit the plan or each other, and what sources and sinks raise.
    """
    delay = _check(manifest, videos)
    source = VideoSource(settings.input, settings.source, stop=stop)
    try:
        with av.open(str(videos[0])) as first:
            like = EncodedStream(first.streams.video[0], manifest.header.unit)
            sink = VideoSink(output, source, settings.sink, encoded=like, stop=stop)
            try:
                _write(sink, _planned_packets(manifest, videos, delay), source.companion_packets(), progress)
                sink.finish()
            except BaseException:
                sink.abort()
                raise
        return [*source.warnings, *sink.warnings]
    finally:
        source.close()


def _write(sink: VideoSink, video: Iterator[Packet], others: Iterator[Packet], progress: Callable[[int], None]) -> None:
    """Interleave by decoding time: muxers hold back whatever runs ahead."""
    waiting: Packet | None = next(others, None)
    for packet in video:
        assert packet.dts is not None
        now = packet.dts * packet.time_base
        ready = []
        while waiting is not None and (waiting.dts is None or waiting.dts * waiting.time_base <= now):
            ready.append(waiting)
            waiting = next(others, None)
        sink.write_encoded([packet], ready)
        progress(sink.frames_written)
    while waiting is not None:
        sink.write_encoded([], [waiting])
        waiting = next(others, None)


def _planned_packets(manifest: Manifest, videos: Sequence[Path], delay: int) -> Iterator[Packet]:
    """The packets of all pieces in decoding order, with times of the plan in its unit."""
    decoding_times, unit = _decoding_times(manifest, delay), manifest.header.unit
    for piece, video in zip(manifest.pieces, videos, strict=True):
        times = [*piece.times, manifest.end_of(piece)]
        rank = {pts: index for index, pts in enumerate(sorted(_presentation_times(video)))}
        with av.open(str(video)) as container:
            for packet in _video_packets(container):
                index = rank[_pts_of(packet)]
                lasts = times[index + 1] - times[index] or round((packet.duration or 0) * packet.time_base / unit)
                packet.time_base, packet.pts, packet.dts = unit, times[index], next(decoding_times)
                packet.duration = lasts
                yield packet


def _decoding_times(manifest: Manifest, delay: int) -> Iterator[int]:
    """The decoding time of each frame in decoding order: the presentation time of that ``delay`` frames before."""
    presented = (pts for piece in manifest.pieces for pts in piece.times)
    head = list(islice(presented, delay + 1))
    step = head[1] - head[0] if len(head) > 1 else 1
    yield from (head[0] - back * step for back in range(delay, 0, -1))
    late: deque[int] = deque(head)
    while late:
        yield late.popleft()
        late.extend(islice(presented, 1))


def _check(manifest: Manifest, videos: Sequence[Path]) -> int:
    """The encoder's delay in frames. Raises ``JoinError`` where a piece has other frames or headers than the first."""
    delay, headers = 0, None
    for piece, video in zip(manifest.pieces, videos, strict=True):
        try:
            order = list(_presentation_times(video))
            found = _headers(video)
        except (av.FFmpegError, OSError, LookupError) as error:
            raise JoinError(piece, video, f"cannot be read ({error})") from error
        if len(order) != len(piece.times) or len(set(order)) != len(order):
            raise JoinError(piece, video, f"has {len(order)} frames instead of {len(piece.times)}")
        if headers is not None and found != headers:
            raise JoinError(piece, video, "was encoded otherwise than the first")
        headers = found
        rank = {pts: index for index, pts in enumerate(sorted(order))}
        delay = max(delay, *(decoded - rank[pts] for decoded, pts in enumerate(order)))
    return delay


def _headers(video: Path) -> tuple[object, ...]:
    with av.open(str(video)) as container:
        context = container.streams.video[0].codec_context
        return (context.name, context.extradata, context.width, context.height, context.pix_fmt)


def _presentation_times(video: Path) -> Iterator[int]:
    with av.open(str(video)) as container:
        yield from (_pts_of(packet) for packet in _video_packets(container))


def _video_packets(container: av.container.InputContainer) -> Iterator[Packet]:
    return (packet for packet in container.demux(container.streams.video[0]) if packet.size)


def _pts_of(packet: Packet) -> int:
    """A packet without a presentation time is presented when it is decoded, as in AVI."""
    pts = packet.dts if packet.pts is None else packet.pts
    if pts is None:
        raise LookupError("a packet has no time")
    return pts
