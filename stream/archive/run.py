"""Takes films through all their steps, one after the other, and says how each ended."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

from emocolor.errors import EmocolorError, SinkError
from engines.system_files import lock

from ..files.places import check_distinct, check_place
from ..files.renaming import sync_folder
from ..files.stop_request import Cancelled, StopRequest
from ..files.temporary_names import not_writable
from .disk import DiskSpace
from .divisible import check_divisible
from .executors import Executor, Mirrored, executor_for
from .film import (
    FilmJob,
    FinishedFilm,
    PieceWork,
    Progress,
    Watch,
    damaged,
    files_of,
    is_finished,
    join,
    missing,
    numbers,
    plan,
)
from .joining import JoinError
from .manifest import Manifest, Piece
from .records import read_record
from .remote.mirror import Mirror, mirror_of
from .remote.ray_cluster import RayCluster

LOCK: Final = ".lock"
"""Locked in a film's folder by the process that renders it."""

Ending = Literal["done", "skipped", "stopped", "failed", "busy"]
"""``busy``: another process renders the film."""


class FilmBusyError(SinkError):
    """Another process renders the film."""


@dataclass(frozen=True, kw_only=True)
class FilmResult:
    """How one film ended."""

    job: FilmJob
    ending: Ending
    film: FinishedFilm | None = None
    """What is known of it, if it is done."""
    error: EmocolorError | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a user should know, a line each."""
        return () if self.film is None else self.film.warnings


def run_films(
    jobs: Iterable[FilmJob],
    *,
    workers: int = 1,
    ray: str | None = None,
    keep_pieces: bool = False,
    restart: bool = False,
    stop: StopRequest | None = None,
    watch: Watch = lambda _: None,
) -> Iterator[FilmResult]:
    """Each film's result, as it ends. A film that fails does not keep the others from their turn.

    ``ray`` is the address of a Ray cluster that renders in place of ``workers``; see :class:`RayCluster`.
    ``keep_pieces``: of finished films. ``restart`` drops what earlier runs have rendered.
    """
    stop = stop or StopRequest()
    for job in jobs:
        if stop.is_stopping:
            yield FilmResult(job=job, ending="stopped")
            continue
        try:
            yield run_film(
                job, workers=workers, ray=ray, keep_pieces=keep_pieces, restart=restart, stop=stop, watch=watch
            )
        except FilmBusyError as error:
            yield FilmResult(job=job, ending="busy", error=error)
        except EmocolorError as error:
            yield FilmResult(job=job, ending="failed", error=error)


def run_film(
    job: FilmJob,
    *,
    workers: int,
    ray: str | None = None,
    keep_pieces: bool = False,
    restart: bool = False,
    stop: StopRequest,
    watch: Watch = lambda _: None,
) -> FilmResult:
    """Plan the film, render the pieces that are missing, and join them; ``restart`` drops those of earlier runs.

    Raises what these raise, and ``SinkError`` where another process is at the same film.
    """
    executor = executor_for(workers, stop) if ray is None else RayCluster(ray, stop=stop)
    how = _How(executor=executor, workers=workers, keep_pieces=keep_pieces, restart=restart, stop=stop, watch=watch)
    if job.store is None:
        return _run_in_folder(job, how)
    with mirror_of(job) as mirror:
        return _run_behind_url(mirror, how)


@dataclass(frozen=True, kw_only=True)
class _How:
    """How a film is rendered."""

    executor: Executor
    workers: int
    keep_pieces: bool
    restart: bool
    stop: StopRequest
    watch: Watch


def _run_behind_url(mirror: Mirror, how: _How) -> FilmResult:
    """In a folder of this process, with the results behind the URL."""
    if not mirror.here.settings.sink.overwrite and mirror.was_done(keep_pieces=how.keep_pieces):
        return FilmResult(job=mirror.job, ending="skipped")
    if how.restart:
        mirror.clear()
    mirror.fetch()
    result = _run_in_folder(mirror.here, replace(how, executor=Mirrored(how.executor, mirror)))
    if result.ending == "done":
        mirror.put_film(keep_pieces=how.keep_pieces)
    return replace(result, job=mirror.job)


def _run_in_folder(job: FilmJob, how: _How) -> FilmResult:
    stop, watch = how.stop, how.watch
    settings = job.settings
    check_divisible(settings)
    if not settings.sink.overwrite and _was_done(job, keep_pieces=how.keep_pieces):
        return FilmResult(job=job, ending="skipped")
    _check_places(job, overwrite=settings.sink.overwrite)
    _make_folder(job)
    with _alone(job.folder), contextlib.suppress(Cancelled):
        if job.output.exists() and not settings.sink.overwrite:  # another process has finished it just now
            _remove_unused(job.folder)
            return FilmResult(job=job, ending="skipped")
        if how.restart:
            _clear(job.folder)
        manifest = _planned(job, stop, watch)
        if lost := damaged(manifest, job):
            _tell(job, watch, f"Damaged or incomplete pieces are rendered again: {numbers(lost)}.")
        disk = DiskSpace(job.folder, stop, partial(_tell, job, watch), workers=how.workers)
        film = _rendered_and_joined(manifest, job, how.executor, disk, how.keep_pieces, stop, watch)
        if film is not None:
            return FilmResult(job=job, ending="done", film=film)
    return FilmResult(job=job, ending="stopped")


def _was_done(job: FilmJob, *, keep_pieces: bool) -> bool:
    """Whether the output is there, and no unfinished film with it.

    What a process has left that was killed at its very end is removed.
    """
    if not job.output.exists():
        return False
    if is_finished(job) and not keep_pieces:
        shutil.rmtree(job.folder, ignore_errors=True)
    return is_finished(job) or not job.folder.exists()


def _check_places(job: FilmJob, *, overwrite: bool) -> None:
    """Raises ``SinkError`` where an output cannot be written: now, and not after hours."""
    outputs = [path for path in (job.output, job.timeline, job.strip) if path is not None]
    check_distinct(outputs)
    for path in outputs:
        check_place(path, overwrite=overwrite, inputs=[job.input])


def _make_folder(job: FilmJob) -> None:
    try:
        job.folder.mkdir(exist_ok=True)
        sync_folder(job.folder.parent)
    except OSError as error:
        raise SinkError(not_writable(job.output.parent, error)) from error


def _clear(folder: Path) -> None:
    for path in list(folder.iterdir()):
        if path.is_file() and path.name != LOCK:
            path.unlink()


def _planned(job: FilmJob, stop: StopRequest, watch: Watch) -> Manifest:
    try:
        return plan(job, stop=stop, watch=watch)
    except BaseException:
        _remove_unused(job.folder)
        raise


def _remove_unused(folder: Path) -> None:
    """Remove a folder that holds no plan and no pieces."""
    with contextlib.suppress(OSError):
        if [path.name for path in folder.iterdir()] == [LOCK]:
            shutil.rmtree(folder)


def _rendered_and_joined(
    manifest: Manifest,
    job: FilmJob,
    executor: Executor,
    disk: DiskSpace,
    keep_pieces: bool,
    stop: StopRequest,
    watch: Watch,
) -> FinishedFilm | None:
    """The finished film, or ``None`` at a stop. A piece that proves to be damaged is rendered once more."""
    replaced = set[Path]()
    while True:
        _render_missing(manifest, job, executor, disk, watch)
        disk.wait_for_film()
        if stop.is_stopping:
            return None
        try:
            return join(manifest, job, keep_pieces=keep_pieces, stop=stop, watch=watch)
        except JoinError as error:
            if error.files.video in replaced:
                raise
            replaced.add(error.files.video)
            error.files.remove()
            _tell(job, watch, f"{error.what} It is rendered again.")


def _tell(job: FilmJob, watch: Watch, note: str) -> None:
    watch(Progress(film=job.input.name, phase="render", frames=0, total=None, note=note))


def _render_missing(manifest: Manifest, job: FilmJob, executor: Executor, disk: DiskSpace, watch: Watch) -> None:
    """Render what is missing, up to a stop."""
    waiting = {piece.index: len(piece.times) for piece in missing(manifest, job)}
    at_work: dict[int, PieceWork] = {}

    def tell(work: PieceWork | None = None, finished: int | None = None) -> None:
        rendered = manifest.frame_count - sum(waiting.values()) + sum(each.frames for each in at_work.values())
        watch(
            Progress(
                film=job.input.name,
                phase="render",
                frames=rendered,
                total=manifest.frame_count,
                piece=finished,
                pieces=len(manifest.pieces),
                waiting=len(waiting),
                work=work,
                piece_frames=0 if work is None else len(manifest.pieces[work.piece].times),
            )
        )

    def on_work(work: PieceWork) -> None:
        at_work[work.piece] = work
        tell(work)

    for piece in manifest.pieces:
        _note_size(piece, manifest, job, disk)
    tell()
    disk.wait_for_pieces(waiting.values())
    for index in executor.finished(job, list(waiting), on_work):
        del waiting[index]
        tell(at_work.pop(index, None), finished=index)
        _note_size(manifest.pieces[index], manifest, job, disk)
        disk.wait_for_pieces(waiting.values())


def _note_size(piece: Piece, manifest: Manifest, job: FilmJob, disk: DiskSpace) -> None:
    """Note what the piece takes on the disk, if it is there."""
    record = read_record(files_of(manifest, piece, job))
    if record is not None:
        disk.note(piece.index, len(piece.times), record.bytes)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from the same film; the system gives it free however this one ends."""
    # Not the folder itself: whoever makes a temporary file there locks that for a moment.
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise SinkError(f"The folder {folder} cannot be used: {error.strerror}. Start the film again.") from error
    try:
        try:
            lock(descriptor)
        except BlockingIOError:
            raise FilmBusyError(f"Another process renders {folder} now. Wait for it, or name another output.") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)
