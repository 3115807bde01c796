"""One film on its way through pieces: planned, rendered by whoever has time, joined; begun again where it stopped.

Beside the output lies a folder with the manifest and the pieces. Running the same film again renders the pieces that
are missing there, and no others.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import av

from emocolor.cuts import CutDetector
from emocolor.effects.chain import temporal_of
from emocolor.errors import ConfigurationError
from emocolor.options import Options, options_of

from ..files.output_file import write_whole
from ..files.stop_request import Cancelled, StopRequest
from ..media.source import VideoSource
from ..media.target import output_format
from ..media.writing.metadata import MOV_FORMATS
from ..nets import SPEC_READERS, check_nets
from ..pipeline.analysis import mark_cuts
from ..restore.color_detection import detect_input_color
from ..settings import JobSettings, job_settings
from .joining import join_pieces
from .manifest import Header, InputIdentity, Manifest, ManifestError, Piece, read_manifest, write_lines
from .pieces import PieceFiles, render_piece
from .planning import PieceLengths, divide
from .timelines import join_timelines

FOLDER_ENDING: Final = ".pieces"
MANIFEST: Final = "manifest.jsonl"
LIBRARIES: Final = ("av", "numpy", "opencv-contrib-python", "mediapipe", "openvino", "torch")
"""Packages whose version may decide a frame."""


@dataclass(frozen=True, kw_only=True)
class FilmJob:
    """What is to be done to one film, in plain values that another process or machine can read."""

    input: Path
    output: Path
    values: Mapping[str, Any] = field(default_factory=dict)
    """Raw values of options, as presets hold them; see :mod:`stream.settings`."""
    timeline: Path | None = None

    @property
    def folder(self) -> Path:
        """Where its manifest and pieces lie until it is finished."""
        return self.output.with_name(self.output.name + FOLDER_ENDING)

    @property
    def settings(self) -> JobSettings:
        """Raises ``ConfigurationError``."""
        return job_settings(self.values, input=str(self.input), output=str(self.output), timeline=self.timeline)


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


JOINABLE: Final = MOV_FORMATS | {"matroska", "webm", "mpegts", "nut"}
"""Containers that keep the time of every frame."""

Watch = Callable[[Progress], None]


def check_divisible(settings: JobSettings) -> None:
    """Raises ``ConfigurationError`` for settings whose result depends on the film before, however long ago."""
    temporal = temporal_of(settings.effects)
    if temporal is not None and getattr(temporal[0], "reference", None) is not None:
        raise ConfigurationError(
            "The palette of colorize.reference follows the whole film, so that film cannot be rendered in pieces. "
            "Leave it out, or render in one piece."
        )
    if settings.analysis is not None and settings.analysis.fresh_masks:
        raise ConfigurationError(
            "With analysis.fresh_masks each analysis depends on all before it, so the film cannot be rendered in "
            "pieces. Leave it out, or render in one piece."
        )
    if any(isinstance(item, Options) and item.section == "overlay" for item in settings.effects):
        raise ConfigurationError(
            "The overlay shows numbers that count faces from the film's start, so the film cannot be rendered in "
            "pieces. Leave it out, or render in one piece."
        )
    container = output_format(settings.output or "", settings.sink.format)
    if container not in JOINABLE:
        raise ConfigurationError(
            f"Pieces cannot be joined in {container}, which does not keep the time of every frame. "
            f"Choose one of {', '.join(sorted(JOINABLE))}."
        )
    if settings.compare or settings.decoder != "software":
        raise ConfigurationError("Pieces are decoded in software, and without a split screen: leave both out.")


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
    settings = job.settings
    check_divisible(settings)
    check_nets(settings.groups)
    with contextlib.suppress(ManifestError, FileNotFoundError):
        known = read_manifest(job.folder / MANIFEST)
        if not differences(known, job):
            return known
    job.folder.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    header, pieces = _read_film(job, settings, lengths, stop or StopRequest(), watch)
    lines.extend(write_lines(header, iter(pieces)))
    write_whole(job.folder / MANIFEST, ("\n".join(lines) + "\n").encode(), overwrite=True)
    return Manifest(header=header, pieces=tuple(pieces))


def differences(manifest: Manifest, job: FilmJob) -> list[str]:
    """What has changed since the plan was made, each in a few words. Raises ``SourceError`` where the input is gone."""
    header = manifest.header
    changed = ["the input"] if header.input.differs_from(InputIdentity.of(job.input)) else []
    if header.values != dict(job.values):
        names = {*header.values, *job.values}
        changed += [f"the option {name}" for name in sorted(names) if header.values.get(name) != job.values.get(name)]
    now = _dependencies(job.settings)
    return changed + [
        name for name in sorted({*now, *header.depends_on}) if now.get(name) != header.depends_on.get(name)
    ]


def files_of(manifest: Manifest, piece: Piece, job: FilmJob) -> PieceFiles:
    """Where the piece lies once it is rendered."""
    key = manifest.key_of(piece)
    return PieceFiles(
        video=job.folder / f"{key}{job.output.suffix}",
        timeline=None if job.timeline is None else job.folder / f"{key}{job.timeline.suffix}",
    )


def missing(manifest: Manifest, job: FilmJob) -> list[Piece]:
    """The pieces that are not rendered yet, the longest first."""
    waiting = [piece for piece in manifest.pieces if not _is_there(files_of(manifest, piece, job))]
    return sorted(waiting, key=lambda piece: (-len(piece.times), piece.index))


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
    manifest = read_manifest(job.folder / MANIFEST)
    if changed := differences(manifest, job):
        raise ManifestError(f"{job.input} was planned with something else: {', '.join(changed)}. Plan it anew.")
    piece = manifest.pieces[index]
    files = files_of(manifest, piece, job)
    return render_piece(manifest, piece, job.settings, files, cores=cores, stop=stop, progress=progress)


def join(
    manifest: Manifest,
    job: FilmJob,
    *,
    keep_pieces: bool = False,
    stop: StopRequest | None = None,
    watch: Watch = lambda _: None,
) -> list[str]:
    """Write the finished film, and then remove its pieces. Returns what a user should know, a line each.

    Raises what :func:`~stream.archive.joining.join_pieces` raises, and ``Cancelled`` at a stop.
    """
    files = [files_of(manifest, piece, job) for piece in manifest.pieces]

    def tell(frames: int) -> None:
        if stop is not None and stop.is_stopping:
            raise Cancelled
        watch(Progress(film=job.input.name, phase="join", frames=frames, total=manifest.frame_count))

    warnings = join_pieces(
        manifest, [each.video for each in files], job.settings, str(job.output), stop=stop, progress=tell
    )
    timelines = [each.timeline for each in files if each.timeline is not None]
    if job.timeline is not None:
        join_timelines(manifest, timelines, job.timeline, overwrite=job.settings.sink.overwrite)
    if not keep_pieces:
        shutil.rmtree(job.folder, ignore_errors=True)
    return warnings


def _read_film(
    job: FilmJob, settings: JobSettings, lengths: PieceLengths | None, stop: StopRequest, watch: Watch
) -> tuple[Header, Sequence[Piece]]:
    """One pass over the film."""
    source = VideoSource(settings.input, settings.source)
    try:
        unit, total = source.info.time_base, source.info.frame_count

        def frames() -> Iterator[tuple[int, bool]]:
            for count, unit_read in enumerate(mark_cuts(source.units(), CutDetector()), start=1):
                if stop.is_stopping:
                    raise Cancelled
                if unit_read.frame is not None:
                    watch(Progress(film=job.input.name, phase="plan", frames=count, total=total))
                    yield unit_read.frame.pts, unit_read.cut

        pieces = list(divide(frames(), unit, lengths))
        header = Header(
            input=InputIdentity.of(job.input),
            values=dict(job.values),
            depends_on=_dependencies(settings),
            time_base=str(unit),
            seeks=source.has_seekable_times,
            has_colors=_colors_of(settings, source),
        )
    finally:
        source.close()
    return header, pieces


def _colors_of(settings: JobSettings, source: VideoSource) -> bool | None:
    temporal = temporal_of(settings.effects)
    if temporal is None or getattr(temporal[0], "force", False):
        return None
    found = detect_input_color(settings.input, settings.source, source.info)
    return None if found is None else found.is_colored


def _dependencies(settings: JobSettings) -> dict[str, str]:
    found = {"emocolor-stream": version("emocolor-stream"), "FFmpeg": str(av.ffmpeg_version_info)}
    for name in LIBRARIES:
        with contextlib.suppress(ModuleNotFoundError):
            found[name] = version(name)
    for group in settings.groups:
        for option in options_of(type(group)):
            if option.catalog in SPEC_READERS:
                name = getattr(group, option.name)
                found[f"the net {name}"] = SPEC_READERS[option.catalog](name).sha256
    found["the settings"] = hashlib.sha256(repr(_fixed(settings)).encode()).hexdigest()
    return found


def _fixed(settings: JobSettings) -> tuple[Options, ...]:
    """All options that decide frames, with the content of the files that they name."""
    return tuple(group for group in settings.groups if not isinstance(group, JobSettings))


def _is_there(files: PieceFiles) -> bool:
    return files.video.exists() and (files.timeline is None or files.timeline.exists())
