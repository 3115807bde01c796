"""Takes films through all their steps, one after the other, and says how each ended."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from emocolor.errors import ConfigurationError, EmocolorError, SinkError

from ..files.places import check_place
from ..files.stop_request import Cancelled, StopRequest
from ..files.temporary_names import not_writable
from .executors import Executor, executor_for
from .film import FilmJob, PieceWork, Progress, Watch, check_divisible, join, missing, plan
from .joining import JoinError
from .manifest import Manifest

Ending = Literal["done", "skipped", "stopped", "failed"]


@dataclass(frozen=True, kw_only=True)
class FilmResult:
    """How one film ended."""

    job: FilmJob
    ending: Ending
    warnings: tuple[str, ...] = ()
    error: EmocolorError | None = None


def film_jobs(inputs: Sequence[Path], folder: Path, values: dict[str, object], *, suffix: str) -> list[FilmJob]:
    """A job for each input, with its output in ``folder`` under the same name and the ending ``suffix``.

    Raises ``ConfigurationError`` where two inputs would have the same output.
    """
    jobs = [FilmJob(input=path, output=folder / f"{path.stem}{suffix}", values=values) for path in inputs]
    outputs = [job.output for job in jobs]
    if twice := next((output for output in outputs if outputs.count(output) > 1), None):
        raise ConfigurationError(f"Two of the films would become {twice}. Rename one, or write to two folders.")
    return jobs


def run_films(
    jobs: Sequence[FilmJob],
    *,
    workers: int = 1,
    keep_pieces: bool = False,
    stop: StopRequest | None = None,
    watch: Watch = lambda _: None,
) -> Iterator[FilmResult]:
    """Each film's result, as it ends. A film that fails does not keep the others from their turn."""
    stop = stop or StopRequest()
    for job in jobs:
        if stop.is_stopping:
            yield FilmResult(job=job, ending="stopped")
            continue
        try:
            yield run_film(job, workers=workers, keep_pieces=keep_pieces, stop=stop, watch=watch)
        except EmocolorError as error:
            yield FilmResult(job=job, ending="failed", error=error)


def run_film(
    job: FilmJob, *, workers: int, keep_pieces: bool = False, stop: StopRequest, watch: Watch = lambda _: None
) -> FilmResult:
    """Plan the film, render the pieces that are missing, and join them.

    Raises what these raise, and ``SinkError`` where another process is at the same film.
    """
    settings = job.settings
    check_divisible(settings)
    if job.output.exists() and not job.folder.exists() and not settings.sink.overwrite:
        return FilmResult(job=job, ending="skipped")
    # Now, and not after hours.
    check_place(job.output, overwrite=settings.sink.overwrite, inputs=[job.input])
    try:
        job.folder.mkdir(exist_ok=True)
    except OSError as error:
        raise SinkError(not_writable(job.output.parent, error)) from error
    with _alone(job.folder), contextlib.suppress(Cancelled):
        try:
            manifest = plan(job, stop=stop, watch=watch)
        except BaseException:
            with contextlib.suppress(OSError):
                job.folder.rmdir()  # unless there is something in it
            raise
        replaced = set[Path]()
        while _render_missing(manifest, job, executor_for(workers, stop), watch):
            try:
                warnings = join(manifest, job, keep_pieces=keep_pieces, stop=stop, watch=watch)
            except JoinError as error:
                if error.video in replaced:
                    raise
                # Damaged since it was rendered: once more.
                error.video.unlink(missing_ok=True)
                replaced.add(error.video)
            else:
                return FilmResult(job=job, ending="done", warnings=tuple(warnings))
    return FilmResult(job=job, ending="stopped")


def _render_missing(manifest: Manifest, job: FilmJob, executor: Executor, watch: Watch) -> bool:
    """Render what is missing; whether everything is there then."""
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
            )
        )

    def on_work(work: PieceWork) -> None:
        at_work[work.piece] = work
        tell(work)

    tell()
    for index in executor.finished(job, list(waiting), on_work):
        del waiting[index]
        tell(at_work.pop(index, None), finished=index)
    return not missing(manifest, job)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from the same film; the system gives it free however this one ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SinkError(f"Another process renders {folder} now. Wait for it, or name another output.") from None
    finally:
        os.close(descriptor)
