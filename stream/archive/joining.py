"""Joins the pieces of a film: their packets as they are, with the times of the plan, and everything else of the input.

Each piece is a closed group of frames by the same encoder with the same settings, so its packets follow those of the
piece before. Their presentation times come from the plan, by rank, because containers round times. Decoding times are
the film's presentation times, later by the encoder's delay, as the encoder itself would give them.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av

from emocolor.errors import SourceError

from ..files.output_file import place_all
from ..files.places import check_distinct
from ..files.stop_request import StopRequest
from ..media.locations import files_of
from ..media.packets import Packet
from ..media.sink import VideoSink
from ..media.source import VideoSource
from ..media.writing.encoded_video import EncodedStream
from ..pipeline.rendering import SideOutput
from ..report.comparison import ComparisonWriter
from ..settings import JobSettings
from .manifest import Manifest, Piece
from .records import PieceFiles, PieceRecord, PieceVideo, read_record, sha256_of
from .timelines import JoinedTimeline


class JoinError(SourceError):
    """A piece is not what was rendered, or does not fit the others."""

    def __init__(self, piece: Piece, files: PieceFiles, what: str) -> None:
        self.what = f"Piece {piece.index} {what}."
        super().__init__(f"{self.what} Remove {files.video} and try again.")
        self.files = files


@dataclass(frozen=True, kw_only=True)
class RenderedPiece:
    """A piece with all that is known of it."""

    plan: Piece
    files: PieceFiles
    record: PieceRecord


@dataclass(frozen=True, kw_only=True)
class JoinedFilm:
    """What joining has shown."""

    warnings: list[str]
    """What a user should know, a line each."""
    lost_packets: int
    """Packets of the other streams that are not in the film."""


def join_pieces(
    manifest: Manifest,
    files: Sequence[PieceFiles],
    settings: JobSettings,
    *,
    before_placing: Callable[[Path], None] = lambda part: None,
    stop: StopRequest | None = None,
    progress: Callable[[int], None] = lambda frames: None,
) -> JoinedFilm:
    """Write the film, its timeline and the frames before and after; they appear together, when all are whole.

    ``files``: of the pieces, in order. ``before_placing`` is called with the temporary file of the whole film before
    anything appears. ``progress`` is told the frames so far. Raises ``JoinError`` for pieces that are not what was
    rendered, and what sources and sinks raise.
    """
    assert settings.output is not None
    check_distinct([Path(settings.output), settings.timeline, settings.strip])
    pieces = list(_rendered(manifest, files))
    delay = max(piece.record.delay for piece in pieces)
    source = VideoSource(settings.input, settings.source, stop=stop)
    outputs: list[SideOutput] = []
    warnings: list[str] = []
    try:
        with closing(PieceVideo(files[0].video)) as first:
            like = EncodedStream(first.stream, manifest.header.unit, source.info.frame_rate)
            sink = VideoSink(settings.output, source, settings.sink, encoded=like, stop=stop)
            outputs.append(sink)
            outputs.extend(_beside(manifest, pieces, sink, settings, warnings))
            _write(sink, _planned_packets(manifest, pieces, delay), source.companion_packets(), progress)
            for output in outputs:
                output.complete()
            before_placing(sink.part)
            place_all([waiting for output in outputs for waiting in output.outputs])
        left_out = source.info.left_out
        warnings += [f"Left out of the output: {', '.join(left_out)}."] if left_out else []
        return JoinedFilm(warnings=[*source.warnings, *warnings, *sink.warnings], lost_packets=sink.lost_packets)
    except BaseException:
        for output in outputs:
            output.abort()
        raise
    finally:
        source.close()


def _beside(
    manifest: Manifest, pieces: Sequence[RenderedPiece], sink: VideoSink, settings: JobSettings, warnings: list[str]
) -> Iterator[SideOutput]:
    """The outputs beside the video, which are made when that is complete."""
    overwrite, inputs = settings.sink.overwrite, files_of(settings.input)
    if settings.timeline is not None:
        parts = [(piece.plan, _timeline_of(piece)) for piece in pieces]
        yield JoinedTimeline(settings.timeline, parts, overwrite=overwrite, inputs=inputs)
    if settings.strip is not None:
        yield ComparisonWriter(
            settings.strip,
            before=settings.input,
            after=sink.part,
            start=settings.source.start_seconds or 0.0,
            overwrite=overwrite,
            warnings=warnings,
        )


def _timeline_of(piece: RenderedPiece) -> Callable[[], bytes]:
    """Reads the piece's timeline. Raises ``JoinError`` where it is not the one that was written."""

    def read() -> bytes:
        assert piece.files.timeline is not None
        try:
            content = piece.files.timeline.read_bytes()
        except OSError as error:
            raise JoinError(piece.plan, piece.files, f"has no timeline ({error.strerror})") from error
        if sha256_of(content) != piece.record.timeline_sha256:
            raise JoinError(piece.plan, piece.files, "has a timeline that is not its own")
        return content

    return read


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


def _rendered(manifest: Manifest, files: Sequence[PieceFiles]) -> Iterator[RenderedPiece]:
    """The pieces with their records. Raises ``JoinError`` where one is missing, or fits neither plan nor the first."""
    encoder = None
    for piece, own in zip(manifest.pieces, files, strict=True):
        record = read_record(own)
        if record is None:
            raise JoinError(piece, own, "is missing or incomplete")
        if sorted(record.order) != list(range(len(piece.times))):
            raise JoinError(piece, own, f"has {len(record.order)} frames instead of {len(piece.times)}")
        if encoder not in (None, record.encoder):
            raise JoinError(piece, own, "was encoded otherwise than the first")
        encoder = record.encoder
        yield RenderedPiece(plan=piece, files=own, record=record)


def _planned_packets(manifest: Manifest, pieces: Sequence[RenderedPiece], delay: int) -> Iterator[Packet]:
    """The packets of all pieces in decoding order, with times of the plan in its unit."""
    decoding_times, unit = _decoding_times(manifest, delay), manifest.header.unit
    for piece in pieces:
        times = [*piece.plan.times, manifest.end_of(piece.plan)]
        for index, packet in zip(piece.record.order, _checked_packets(piece), strict=True):
            lasts = times[index + 1] - times[index] or round((packet.duration or 0) * packet.time_base / unit)
            packet.time_base, packet.pts, packet.dts = unit, times[index], next(decoding_times)
            packet.duration = lasts
            yield packet


def _checked_packets(piece: RenderedPiece) -> Iterator[Packet]:
    """The packets of one piece, as many as it has frames. Raises ``JoinError`` where they are not what was rendered."""
    damaged = JoinError(piece.plan, piece.files, "is damaged, or the file of another piece")
    try:
        with closing(PieceVideo(piece.files.video)) as video:
            packets = video.packets()
            yield from islice(packets, len(piece.record.order))
            if next(packets, None) is not None or video.sha256 != piece.record.video_sha256:
                raise damaged
    except (av.FFmpegError, OSError, LookupError) as error:
        raise damaged from error


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
