"""Films rendered in pieces from an event loop: what happens comes as events, off the loop.

async with open_archive([Path("film.mp4")], Path("finished"), {"effect": "grade"}, workers=2) as archive:
    async for event in archive:
        print(event)
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ..files.stop_request import Cancelled, StopRequest
from ..pipeline.channel import Channel
from ..settings import RawValues
from .executors import default_workers
from .film import FilmJob, Progress
from .inputs import DEFAULT_SUFFIX, FilmSearch, OutputNames, film_jobs, with_folders
from .run import FilmResult, run_films

CAPACITY: Final = 16
"""Events that wait for whoever reads them; then the films wait, but for the pieces in work."""


@dataclass(frozen=True, kw_only=True)
class FilmPlanned:
    """A film's pieces are known, and are rendered from now on."""

    film: str
    """Its name, as in all events."""
    frames: int
    pieces: int
    waiting: int
    """Pieces that earlier runs have not finished."""


@dataclass(frozen=True, kw_only=True)
class PieceFinished:
    """A worker has finished a piece."""

    film: str
    piece: int
    worker: str
    seconds: float
    """That it took."""
    waiting: int
    """Pieces that are left."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What a user should know now, in a line: why work pauses, or what is rendered again."""

    film: str
    text: str


Event = FilmPlanned | PieceFinished | Notice | FilmResult
"""A film's last event is its result, however it ends."""


class Archive:
    """Films on their way through pieces; see :func:`open_archive`."""

    def __init__(self, jobs: Sequence[FilmJob], *, workers: int = 1, keep_pieces: bool = False) -> None:
        """Nothing runs before the archive is entered."""
        self.results: list[FilmResult] = []
        """Of the films that have ended."""
        self.progress: Progress | None = None
        """How far the film at work is."""
        self._jobs, self._workers, self._keep_pieces = jobs, workers, keep_pieces
        self._stop, self._channel = StopRequest(), Channel[Event](CAPACITY)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="archive")

    def stop(self) -> None:
        """Drop the pieces in work and end; what is rendered is kept, and the same films go on from there next time."""
        self._stop.stop()

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aiter__(self) -> AsyncIterator[Event]:
        """What happens, until all films have ended."""
        events, end = iter(self._channel), object()
        while (event := await asyncio.to_thread(next, events, end)) is not end:
            yield event  # type: ignore[misc]
        self._raise_error()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, wait until all has ended, and raise what went wrong, unless the block raised an error itself."""
        self._stop.stop()
        self._channel.cancel()
        await asyncio.shield(asyncio.to_thread(self._thread.join))
        if error is None:
            self._raise_error()

    def _work(self) -> None:
        events = _Events(self._channel.put)

        def watch(progress: Progress) -> None:
            self.progress = progress
            events.note(progress)

        try:
            with contextlib.suppress(Cancelled):
                for result in run_films(
                    with_folders(self._jobs),
                    workers=self._workers,
                    keep_pieces=self._keep_pieces,
                    stop=self._stop,
                    watch=watch,
                ):
                    self.results.append(result)
                    self._channel.put(result)
        except BaseException as error:
            self._error = error
        finally:
            self._channel.close()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


def open_archive(
    films: Sequence[Path],
    folder: Path,
    values: RawValues | None = None,
    *,
    suffix: str = DEFAULT_SUFFIX,
    workers: int | None = None,
    keep_pieces: bool = False,
) -> Archive:
    """Render films into ``folder``, under their own names: an archive to be entered with ``async with``.

    Folders among ``films`` stand for all films below them. ``workers``: see
    :func:`~stream.archive.executors.default_workers`. ``values``: raw values of options, as presets hold them; see
    :mod:`stream.settings`. Leaving the block early stops it, and waits until all has ended. Raises
    ``ConfigurationError`` where two films would have the same output.
    """
    search, names = FilmSearch(inputs=films, output=folder), OutputNames(folder=folder, suffix=suffix)
    jobs = film_jobs(search.find(), names, dict(values or {}))
    count = default_workers((values or {}).get("device", "auto")) if workers is None else workers
    return Archive(jobs, workers=count, keep_pieces=keep_pieces)


class _Events:
    """Tells from the progress of films what has happened."""

    def __init__(self, put: Callable[[Event], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._put, self._clock = put, clock
        self._planned = ""
        self._begun: dict[int, float] = {}

    def note(self, progress: Progress) -> None:
        if progress.note:
            self._put(Notice(film=progress.film, text=progress.note))
        elif progress.phase == "render" and progress.total is not None:
            self._note_rendering(progress, progress.total)

    def _note_rendering(self, progress: Progress, total: int) -> None:
        film, work = progress.film, progress.work
        if film != self._planned:
            self._planned = film
            self._put(FilmPlanned(film=film, frames=total, pieces=progress.pieces, waiting=progress.waiting))
        if work is not None and work.frames == 0:
            self._begun[work.piece] = self._clock()
        if progress.piece is not None:
            now = self._clock()
            seconds = now - self._begun.pop(progress.piece, now)
            worker = "" if work is None else work.worker
            self._put(
                PieceFinished(film=film, piece=progress.piece, worker=worker, seconds=seconds, waiting=progress.waiting)
            )
