"""Films that are dropped into folders, taken one at a time once they are complete."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emocolor.errors import ConfigurationError, EmocolorError, SinkError, SourceError

from ..files.stop_request import StopRequest
from ..settings import RawValues
from .film import FilmJob
from .inputs import FilmSearch, OutputNames, Warn

DEFAULT_SETTLE_S: Final = 10.0
LONGEST_INTERVAL_S: Final = 5.0
SHORTEST_INTERVAL_S: Final = 1.0
"""Between two looks at the folders, which may hold many files and lie on another machine."""


@dataclass
class _Film:
    """What is known of a file."""

    state: tuple[int, int]
    """Its size and date."""
    ready_at: float
    """When it may be taken, if nothing changes."""
    is_taken: bool = False
    """Whether it has had its turn in this state."""


class Arrivals:
    """Jobs for films, each as soon as its file has not changed for a while and nobody writes it, until a stop.

    A film has one turn, however that ends, until its file changes.
    """

    def __init__(
        self,
        find: Callable[[], Iterable[FilmJob]],
        stop: StopRequest,
        *,
        settle_s: float = DEFAULT_SETTLE_S,
        warn: Warn = lambda text: None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] | None = None,
    ) -> None:
        """``find`` returns what is there now; ``pause`` waits for so many seconds, or until a stop."""
        if settle_s < 0:
            raise ConfigurationError(f"The time to settle cannot be negative, got {settle_s:g} s.")
        self._find, self._stop, self._settle_s, self._warn = find, stop, settle_s, warn
        self._clock, self._pause = clock, pause or stop.pause
        self._interval_s = min(LONGEST_INTERVAL_S, max(SHORTEST_INTERVAL_S, settle_s / 2))
        self._films: dict[Path, _Film] = {}
        self._error = ""

    def __iter__(self) -> Iterator[FilmJob]:
        while not self._stop.is_stopping:
            job = self._next()
            if job is None:
                self._pause(self._interval_s)
            else:
                yield job

    def put_back(self, job: FilmJob) -> bool:
        """Give the film another turn later, since somebody else is at it; whether it gets one."""
        if film := self._films.get(job.input):
            film.is_taken, film.ready_at = False, self._clock() + self._interval_s
        return True

    def _next(self) -> FilmJob | None:
        """The job of the film that has been complete for the longest time, if there is one."""
        try:
            jobs = {job.input: job for job in self._find()}
        except EmocolorError as error:  # no end: a shared folder may come back
            if str(error) != self._error:
                self._warn(str(error))
            self._error = str(error)
            return None
        self._error = ""
        self._films = {path: film for path in jobs if (film := self._seen(path))}
        now = self._clock()
        ready = [path for path, film in self._films.items() if not film.is_taken and film.ready_at <= now]
        for path in sorted(ready, key=lambda path: self._films[path].ready_at):
            if not is_open_for_writing(path):
                self._films[path].is_taken = True
                return jobs[path]
        return None

    def _seen(self, path: Path) -> _Film | None:
        """What is known of the file now; ``None`` where it has gone meanwhile."""
        try:
            status = path.stat()
        except OSError:
            return None
        state, known = (status.st_size, status.st_mtime_ns), self._films.get(path)
        if known is not None and known.state == state:
            return known
        return _Film(state, self._clock() + self._settle_s)


class WatchedFolders:
    """The jobs for the films that lie in folders now. What cannot be a job is told once, and left alone."""

    def __init__(self, search: FilmSearch, names: OutputNames, values: RawValues, warn: Warn) -> None:
        """Raises ``ConfigurationError`` where there is no folder to watch."""
        self._folders = search.folders
        if not self._folders:
            raise ConfigurationError("There is no folder to watch among the inputs. Name one.")
        self._search, self._names, self._values = search, names, values
        self._warn, self._warned = warn, set[str]()
        self._inputs: dict[Path, Path] = {}
        """The film that each output is made of."""

    def __call__(self) -> Sequence[FilmJob]:
        """Raises ``SourceError`` or ``SinkError`` while a folder is gone."""
        if not os.path.isdir(self._names.folder):
            raise SinkError(f"The folder {self._names.folder} is gone. Films wait until it is back.")
        if gone := next((folder for folder in self._folders if not os.path.isdir(folder)), None):
            raise SourceError(f"The folder {gone} is gone. It is watched again when it is back.")
        jobs = [
            FilmJob(
                input=film.path,
                output=self._names.path_of(film),
                values=self._values,
                store=self._names.store,
            )
            for film in self._search.find(self._warn_once)
        ]
        there = {job.input for job in jobs}
        self._inputs = {output: path for output, path in self._inputs.items() if path in there}
        return [job for job in jobs if self._is_first(job)]

    def _is_first(self, job: FilmJob) -> bool:
        """Whether no other film has the same output."""
        first = self._inputs.setdefault(job.output, job.input)
        if first != job.input:
            self._warn_once(f"{job.input} would become {job.output}, as {first} does: left alone. Rename it.")
        return first == job.input

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)


def is_open_for_writing(path: Path) -> bool:
    """Whether a process may write the file now, as far as the system tells: Linux does, for one's own files."""
    try:
        from fcntl import F_RDLCK, F_SETLEASE, F_SETSIG, F_UNLCK, fcntl
    except ImportError:
        return False
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            # Who opens the file for writing meanwhile would end this process by a signal that is not ignored.
            fcntl(descriptor, F_SETSIG, signal.SIGURG)
            fcntl(descriptor, F_SETLEASE, F_RDLCK)
            fcntl(descriptor, F_SETLEASE, F_UNLCK)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False
