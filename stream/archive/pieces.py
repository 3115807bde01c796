"""Renders one piece of a film into a file of its own, as the job of the whole film would render its frames.

The file has the container and encoder of the finished film, holds nothing but the video, and starts at zero.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeGuard

from emocolor.errors import SourceError
from emocolor.faces import Observation, Scene
from emocolor.frames import Frame

from ..files.output_file import Placeable
from ..files.stop_request import StopRequest
from ..graph import FileParts, file_stages
from ..job import info_of_output
from ..media.sink import VideoSink
from ..media.source import FilmPart, MediaUnit, VideoSource
from ..media.source_info import SourceInfo
from ..pipeline.analysis import mark_cuts
from ..pipeline.pipeline import Pipeline
from ..pipeline.rendering import ObservationWriter
from ..pipeline.steps import Step
from ..report.timeline import TimelineWriter
from ..settings import JobSettings
from .frame_times import PtsList
from .manifest import Manifest, Piece
from .memory import memory_of
from .records import Observed, PieceFiles, write_record


class PieceError(SourceError):
    """A piece did not come out as it was planned."""


def render_piece(
    manifest: Manifest,
    piece: Piece,
    settings: JobSettings,
    files: PieceFiles,
    *,
    cores: int,
    check_input: Callable[[], None] = lambda: None,
    stop: StopRequest | None = None,
    progress: Callable[[int], None] = lambda frames: None,
) -> bool:
    """Render it; whether it was finished, and not dropped at a stop.

    Its files appear when they are whole and hold exactly the planned frames, and its record after them. ``settings``
    are those of the film; ``progress`` is told the frames so far; ``check_input`` raises where the input is not the one
    that was planned. Raises ``PieceError`` where the input gives other frames than were planned, and whatever a job
    raises.
    """
    source = VideoSource(settings.input, settings.source, stop=stop, part=part_of(manifest, piece, settings))
    try:
        sink = _PieceSink(files.video, source.info, settings, piece.times)
        timeline = None if files.timeline is None else _PieceTimeline(files.timeline, piece, manifest)
        stages = file_stages(settings, _parts(manifest, source, sink, timeline, cores))
        cuts = _PlannedCuts(cut for each in manifest.pieces for cut in each.cuts)
        analyses, faces = 0, False

        def units() -> Iterator[MediaUnit]:
            return mark_cuts(source.units(), cuts)

        with Pipeline(units, stages) as pipeline:
            for step in pipeline:
                if stop is not None and stop.is_stopping:
                    return False
                if sink.holds(step.frame):
                    analyses += step.observation is not None
                    faces = faces or _shows_faces(step)
                progress(sink.frames_written)
    finally:
        source.close()
    check_input()
    write_record(files, Observed(analyses=analyses, faces=faces, warnings=tuple(sink.warnings)))
    return True


def _shows_faces(step: Step) -> bool:
    return step.scene is not None and len(step.scene.faces) > 0


def part_of(manifest: Manifest, piece: Piece, settings: JobSettings) -> FilmPart:
    """What must be read for a piece: its frames, and at joints those around it."""
    unit, memory = manifest.header.unit, memory_of(settings)
    is_last = piece.index == len(manifest.pieces) - 1
    first, end = piece.times.first, None if is_last else manifest.end_of(piece)
    if piece.start == "joint":
        shot = max((cut for other in manifest.pieces[: piece.index] for cut in other.cuts), default=0)
        first = max(shot, manifest.pieces[0].times.first, int(first - memory.before / unit))
    if end is not None and manifest.pieces[piece.index + 1].start == "joint":
        later = (cut for other in manifest.pieces[piece.index + 1 :] for cut in other.cuts)
        end = min(next(later, manifest.pieces[-1].times.last + 1), int(end + memory.after / unit) + 1)
    return FilmPart(first=first, end=end, seeks=manifest.header.seeks and piece.index > 0)


def _parts(
    manifest: Manifest, source: VideoSource, sink: "_PieceSink", timeline: "_PieceTimeline | None", cores: int
) -> FileParts:
    def verdict() -> bool | None:
        return manifest.header.has_colors

    return FileParts(
        info=source.info,
        on_device=False,
        sink=sink,
        timeline=timeline,
        has_colors=verdict,
        frames_have_colors=lambda frames: bool(verdict()),
        cores=cores,
    )


class _PlannedCuts:
    """The cuts of the plan: a piece cannot see what was before its first frame."""

    def __init__(self, times: Iterable[int]) -> None:
        self._times = frozenset(times)

    def is_cut(self, frame: Frame) -> bool:
        return frame.pts in self._times


class _PieceSink:
    """Writes the frames of the piece alone, from zero, and checks that they are those of the plan."""

    def __init__(self, path: Path, info: SourceInfo, settings: JobSettings, times: PtsList) -> None:
        info = info_of_output(info, settings)
        bare = replace(info, companions=(), chapters=(), metadata={}, video_metadata={}, left_out=())
        options = replace(settings.sink, overwrite=True)
        self._sink = VideoSink(str(path), bare, options)
        self._planned: Iterator[int] = iter(times)
        self._first, self._last = times.first, times.last

    @property
    def outputs(self) -> Sequence[Placeable]:
        return self._sink.outputs

    @property
    def frames_written(self) -> int:
        return self._sink.frames_written

    @property
    def warnings(self) -> list[str]:
        return self._sink.warnings

    def holds(self, frame: Frame | None) -> TypeGuard[Frame]:
        """Whether the frame is one of the piece, and not one that leads to it or follows it."""
        return frame is not None and self._first <= frame.pts <= self._last

    def write(self, unit: MediaUnit) -> None:
        frame = unit.frame
        if not self.holds(frame):
            return
        if frame.pts != next(self._planned, None):
            raise PieceError(f"The input has a frame at {frame.time:.3f} s that was not planned.")
        self._sink.write(MediaUnit(frame=replace(frame, pts=frame.pts - self._first)))

    def complete(self) -> None:
        if (missing := next(self._planned, None)) is not None:
            raise PieceError(f"The input gave no frame for time {missing} of the plan.")
        self._sink.complete()

    def abort(self) -> None:
        self._sink.abort()


class _PieceTimeline(ObservationWriter):
    """Writes what was observed in the frames of the piece alone."""

    def __init__(self, path: Path, piece: Piece, manifest: Manifest) -> None:
        self._writer = TimelineWriter(path, overwrite=True)
        unit = manifest.header.unit
        self._first, self._last = float(piece.times.first * unit), float(piece.times.last * unit)

    @property
    def outputs(self) -> Sequence[Placeable]:
        return self._writer.outputs

    def write(self, observation: Observation, scene: Scene) -> None:
        if self._first <= observation.time <= self._last:
            self._writer.write(observation, scene)

    def complete(self) -> None:
        self._writer.complete()

    def abort(self) -> None:
        self._writer.abort()
