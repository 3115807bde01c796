"""One film on its way through pieces: planned, rendered by whoever has time, joined; begun again where it stopped.

Beside the output lies a folder with the manifest and the pieces. Running the same film again renders the pieces that
are missing there, and no others.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from emocolor.chroma.detection import ColorDetection, detect_color
from emocolor.cuts import CutDetector
from emocolor.effects.chain import temporal_of
from emocolor.errors import SinkError, SourceError
from emocolor.frames import Frame

from ..files.output_file import write_whole
from ..files.stop_request import Cancelled, StopRequest
from ..media.sink import VideoSink
from ..media.source import VideoSource
from ..media.source_info import Damage
from ..nets import check_nets
from ..pipeline.analysis import mark_cuts
from ..pipeline.colorizing import FIRST_FRAMES
from ..redaction import redacted
from ..restore.color_detection import color_notes, detect_input_color
from ..settings import JobSettings, job_settings
from .changes import changes, dependencies
from .disk import check_space
from .divisible import check_divisible
from .joining import join_pieces
from .manifest import Header, InputIdentity, Manifest, ManifestError, Piece, read_manifest, write_lines
from .pieces import render_piece
from .planning import PieceLengths, divide, lengths_for
from .records import RECORD_SUFFIX, PieceFiles, PieceRecord, read_record, state_of

FOLDER_ENDING: Final = ".pieces"
MANIFEST: Final = "manifest.jsonl"
FINISHED: Final = "finished.json"
"""Tells the finished film from other files under its name, where its pieces are kept."""
OF_A_PIECE: Final = re.compile(r"\.?(?P<key>[0-9a-f]{20})\..+")
"""Names of a piece's files, temporary ones among them."""


@dataclass(frozen=True, kw_only=True)
class FilmJob:
    """What is to be done to one film, in plain values that another process or machine can read."""

    input: Path
    output: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    """Raw values of options, as presets hold them; see :mod:`stream.settings`."""
    timeline: Path | None = None
    strip: Path | None = None
    store: str | None = None
    """A URL below which the results lie; then the paths of outputs are names there."""

    @property
    def folder(self) -> Path:
        """Where its manifest and pieces lie until it is finished."""
        return self.output.with_name(self.output.name + FOLDER_ENDING)

    @property
    def place(self) -> str:
        """Where the film goes, for messages."""
        return str(self.output) if self.store is None else redacted(f"{self.store.rstrip('/')}/{self.output}")

    @property
    def settings(self) -> JobSettings:
        """Raises ``ConfigurationError``."""
        return job_settings(
            self.values, input=str(self.input), output=str(self.output), timeline=self.timeline, strip=self.strip
        )


@dataclass(frozen=True, kw_only=True)
class PieceWork:
    """How far a worker is with a piece."""

    worker: str
    """Its name: the same for as long as the film is rendered, whatever replaces it."""
    piece: int
    frames: int
    """Rendered so far: 0 when it begins."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a film is, for whoever watches."""

    film: str
    """Its name."""
    phase: str
    """``plan``, ``render`` or ``join``."""
    frames: int
    total: int | None
    """Frames in all; ``None`` while they are being counted and the input does not say."""
    piece: int | None = None
    """The piece that was just finished."""
    pieces: int = 0
    """Pieces of the film; 0 while it is planned."""
    waiting: int = 0
    """Those of them that are not finished."""
    work: PieceWork | None = None
    """What a worker reports, while pieces are rendered."""
    piece_frames: int = 0
    """Frames of the piece that the worker is at, or has finished."""
    note: str = ""
    """What a user should know now, in a line."""


Watch = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class FinishedFilm:
    """What is known of a film when it has been joined."""

    warnings: tuple[str, ...]
    """What a user should know, a line each."""
    damage: Damage
    """Of the input."""
    frames: int
    seconds: float
    analyses: int
    """Frames that were analysed."""
    faces: bool
    """Whether any face was seen."""


def plan(
    job: FilmJob,
    *,
    lengths: PieceLengths | None = None,
    stop: StopRequest | None = None,
    watch: Watch = lambda _: None,
) -> Manifest:
    """The film's manifest: the one on the disk if it still fits, else a new one, which is written there.

    Raises what sources raise, ``ConfigurationError`` for settings that do not allow pieces, and ``Cancelled`` at a
    stop.
    """
    settings, stop = job.settings, stop or StopRequest()
    check_divisible(settings)
    check_nets(settings.groups)
    known, note = _known_plan(job)
    if known is not None:
        return known
    job.folder.mkdir(parents=True, exist_ok=True)
    rendered = sum(1 for path in job.folder.glob(f"*{RECORD_SUFFIX}") if OF_A_PIECE.fullmatch(path.name))
    manifest = _read_film(job, settings, lengths or lengths_for(settings), stop, watch)
    write_whole(job.folder / MANIFEST, ("\n".join(write_lines(manifest)) + "\n").encode(), overwrite=True)
    _remove_others(manifest, job.folder)
    if note:
        text = f"{note} {_fate(rendered, manifest, job)}".strip()
        watch(_progress(job, "plan", manifest.frame_count, manifest.frame_count, note=text))
    return manifest


def _known_plan(job: FilmJob) -> tuple[Manifest | None, str]:
    """The plan on the disk if it still fits; else why it does not, if there is one."""
    try:
        known = read_manifest(job.folder / MANIFEST)
    except ManifestError as error:
        return None, f"{error} It is planned anew."
    except FileNotFoundError:
        return None, ""
    if changed := differences(known, job):
        return None, f"Since it was planned, {_listed(changed)} changed, so it is planned anew."
    return known, ""


def _fate(rendered: int, manifest: Manifest, job: FilmJob) -> str:
    """What becomes of so many rendered pieces under a new plan."""
    waiting = {piece.index for piece in missing(manifest, job)}
    kept = [piece.index for piece in manifest.pieces if piece.index not in waiting]
    again = max(0, rendered - len(kept))
    if not kept:
        return f"Pieces that were rendered are rendered again: {again}." if again else ""
    return f"Pieces {numbers(kept)} are kept" + (f", others are rendered again: {again}." if again else ".")


def differences(manifest: Manifest, job: FilmJob) -> list[str]:
    """What has changed since the plan was made, each in a few words. Raises ``SourceError`` where the input is gone."""
    changed = [] if manifest.header.input.is_at(job.input) else ["the input"]
    return changed + changes(manifest.header.depends_on, dependencies(job.settings))


def check_unchanged(manifest: Manifest, job: FilmJob) -> None:
    """Raises ``ManifestError`` where the film, its options, a net or a library are not those of the plan."""
    if changed := differences(manifest, job):
        raise ManifestError(f"{job.input} was planned with something else: {', '.join(changed)}. Plan it anew.")


def files_of(manifest: Manifest, piece: Piece, job: FilmJob) -> PieceFiles:
    """Where the piece lies once it is rendered."""
    key = manifest.key_of(piece)
    return PieceFiles(
        video=job.folder / f"{key}{job.output.suffix}",
        timeline=None if job.timeline is None else job.folder / f"{key}{job.timeline.suffix}",
    )


def missing(manifest: Manifest, job: FilmJob) -> list[Piece]:
    """The pieces that are not rendered yet, the longest first."""
    waiting = [piece for piece in manifest.pieces if read_record(files_of(manifest, piece, job)) is None]
    return sorted(waiting, key=lambda piece: (-len(piece.times), piece.index))


def damaged(manifest: Manifest, job: FilmJob) -> list[int]:
    """The numbers of the pieces that were rendered, and whose files are not what they were."""
    return [piece.index for piece in manifest.pieces if state_of(files_of(manifest, piece, job)) == "damaged"]


def render(
    job: FilmJob,
    index: int,
    *,
    cores: int,
    stop: StopRequest | None = None,
    progress: Callable[[int], None] = lambda frames: None,
) -> bool:
    """Render one piece of a planned film, in any process; whether it was finished, and not dropped at a stop.

    ``progress`` is told the frames so far. Raises ``ManifestError`` where the film, its options, a net or a library are
    not those of the plan, and what :func:`~stream.archive.pieces.render_piece` raises.
    """
    manifest = _manifest_of(job)
    check_unchanged(manifest, job)
    piece = manifest.pieces[index]
    return render_piece(
        manifest,
        piece,
        job.settings,
        files_of(manifest, piece, job),
        cores=cores,
        check_input=lambda: check_unchanged(manifest, job),
        stop=stop,
        progress=progress,
    )


def join(
    manifest: Manifest,
    job: FilmJob,
    *,
    keep_pieces: bool = False,
    stop: StopRequest | None = None,
    watch: Watch = lambda _: None,
) -> FinishedFilm:
    """Write the finished film and all beside it, and then remove its pieces.

    Raises ``ManifestError`` where the input is not the one that was planned, what
    :func:`~stream.archive.joining.join_pieces` raises, and ``Cancelled`` at a stop.
    """
    files, settings = [files_of(manifest, piece, job) for piece in manifest.pieces], job.settings
    records = [record for each in files if (record := read_record(each)) is not None]

    def tell(frames: int) -> None:
        if stop is not None and stop.is_stopping:
            raise Cancelled
        watch(_progress(job, "join", frames, manifest.frame_count))

    def before_placing(part: Path) -> None:
        check_unchanged(manifest, job)
        note_finished(job, part)

    check_unchanged(manifest, job)
    joined = join_pieces(manifest, files, settings, before_placing=before_placing, stop=stop, progress=tell)
    if not keep_pieces:
        shutil.rmtree(job.folder, ignore_errors=True)
    return FinishedFilm(
        warnings=tuple(dict.fromkeys([*manifest.warnings, *joined.warnings, *_warnings_of(records)])),
        damage=replace(manifest.damage, companion_packets=joined.lost_packets),
        frames=manifest.frame_count,
        seconds=float((manifest.pieces[-1].times.last - manifest.pieces[0].times.first) * manifest.header.unit),
        analyses=sum(record.analyses for record in records),
        faces=any(record.faces for record in records),
    )


def is_finished(job: FilmJob) -> bool:
    """Whether the file under the output's name is the film that was made of the pieces in its folder."""
    with contextlib.suppress(OSError, ValueError):
        return bool(json.loads((job.folder / FINISHED).read_text()) == _traits(job.output))
    return False


def note_finished(job: FilmJob, part: Path) -> None:
    """Note what the film is, before it gets its name: renaming changes none of it."""
    write_whole(job.folder / FINISHED, json.dumps(_traits(part)).encode(), overwrite=True)


def numbers(pieces: Iterable[int]) -> str:
    """Rising numbers of pieces, runs of them together: ``1 to 3, 7``."""
    runs = groupby(enumerate(pieces), lambda found: found[1] - found[0])
    ends = [(run[0][1], run[-1][1]) for run in (list(members) for _, members in runs)]
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in ends)


def _traits(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"bytes": status.st_size, "modified_ns": status.st_mtime_ns}


def _warnings_of(records: Iterable[PieceRecord]) -> Iterator[str]:
    return (warning for record in records for warning in record.warnings)


def _remove_others(manifest: Manifest, folder: Path) -> None:
    """Remove the files of pieces that the plan does not name."""
    keys = {manifest.key_of(piece) for piece in manifest.pieces}
    for path in list(folder.iterdir()):
        if (found := OF_A_PIECE.fullmatch(path.name)) and found["key"] not in keys:
            path.unlink(missing_ok=True)


def _manifest_of(job: FilmJob) -> Manifest:
    """The plan on the disk, read once in each process. Raises ``ManifestError``, and ``SinkError`` where it is gone."""
    path = job.folder / MANIFEST
    try:
        status = path.stat()
        return _read_once(path, status.st_mtime_ns, status.st_ino)
    except OSError as error:
        raise SinkError(f"{path} cannot be read: {error.strerror}. Start the film again.") from error


@lru_cache(maxsize=2)
def _read_once(path: Path, modified_ns: int, inode: int) -> Manifest:
    return read_manifest(path)


def _progress(job: FilmJob, phase: str, frames: int, total: int | None, *, note: str = "") -> Progress:
    return Progress(film=job.input.name, phase=phase, frames=frames, total=total, note=note)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _read_film(job: FilmJob, settings: JobSettings, lengths: PieceLengths, stop: StopRequest, watch: Watch) -> Manifest:
    """The plan, from one pass over the film. Raises ``SourceError`` where that changes meanwhile."""
    source = VideoSource(settings.input, settings.source)
    try:
        identity = InputIdentity.of(job.input)
        # What is wrong with the output is known before the pass.
        VideoSink(str(job.output), source, settings.sink).abort()
        check_space(source.info, settings, job.folder)
        unit, total = source.info.time_base, source.info.frame_count
        asked = _asks_for_colors(settings)
        color = detect_input_color(settings.input, settings.source, source.info) if asked else None
        first: list[Frame] = []

        def frames() -> Iterator[tuple[int, bool]]:
            for count, unit_read in enumerate(mark_cuts(source.units(), CutDetector()), start=1):
                if stop.is_stopping:
                    raise Cancelled
                if unit_read.frame is None:
                    continue
                if asked and color is None and count <= FIRST_FRAMES:
                    first.append(unit_read.frame)
                watch(_progress(job, "plan", count, total))
                yield unit_read.frame.pts, unit_read.cut

        pieces = tuple(divide(frames(), unit, lengths))
        if asked and color is None:
            color = detect_color(first)
    finally:
        source.close()
    if identity.differs_from(InputIdentity.of(job.input)):
        raise SourceError(f"{job.input} changed while it was planned. Wait until it is complete, and try again.")
    header = Header(
        input=identity,
        values=dict(job.values),
        depends_on=dependencies(settings),
        time_base=str(unit),
        seeks=source.has_seekable_times,
        has_colors=None if color is None else color.is_colored,
    )
    return Manifest(header=header, pieces=pieces, warnings=(*source.warnings, *_notes_on(color)), damage=source.damage)


def _asks_for_colors(settings: JobSettings) -> bool:
    """Whether an effect asks whether the film is in colour."""
    temporal = temporal_of(settings.effects)
    return temporal is not None and not getattr(temporal[0], "force", False)


def _notes_on(color: ColorDetection | None) -> Iterator[str]:
    return iter(()) if color is None else color_notes(color)
