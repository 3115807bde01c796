"""Films from the command line on their way through the library: chosen, rendered, and summed up."""

import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from emocolor.errors import ConfigurationError, SourceError

from ...archive.film import FilmJob, Progress
from ...archive.inputs import FilmSearch, OutputNames, film_jobs, read_list, with_folders
from ...archive.run import FilmResult, run_films
from ...archive.watching import Arrivals, WatchedFolders
from ...files.stop_request import StopRequest
from ...media.locations import is_url
from ...settings import RawValues
from ..console import EXIT_DAMAGED
from ..messages import say
from ..parameters import with_flags
from ..signals import handled_by, raise_stopped
from .tables import aligned
from .view import ENDINGS, FilmsView, films_view


@dataclass(frozen=True, kw_only=True)
class FilmChoice:
    """Which films, and what their outputs are called."""

    search: FilmSearch
    names: OutputNames
    watch: bool
    settle_s: float

    @classmethod
    def of(cls, films: Sequence[Path], place: str, suffix: str, options: Mapping[str, Any]) -> "FilmChoice":
        """From the command line. Raises ``ConfigurationError`` and ``SourceError``."""
        store = place if is_url(place) else None
        folder = Path() if store else Path(place)
        if not folder.is_dir():
            raise ConfigurationError(f"The folder {folder} does not exist. Make it first, or write elsewhere.")
        listed = read_list(options["list_file"]) if options["list_file"] is not None else []
        inputs = [*films, *listed]
        if not inputs:
            raise ConfigurationError("No film is named: name files or folders, or a list that holds some.")
        return cls(
            search=FilmSearch(inputs=inputs, output=None if store else folder, patterns=options["pattern"] or []),
            names=OutputNames(folder=folder, template=options["name"], suffix=suffix, store=store),
            watch=options["watch"],
            settle_s=options["settle"],
        )

    def turns(self, values: RawValues, stop: StopRequest) -> "Arrivals | Turns":
        """The jobs, in turn. Raises ``ConfigurationError``, and ``SourceError`` where there is no film."""
        if self.watch:
            folders = WatchedFolders(self.search, self.names, values, _warn)
            return Arrivals(folders, stop, settle_s=self.settle_s, warn=_warn)
        jobs = film_jobs(self.search.find(_warn), self.names, values)
        if not jobs:
            raise SourceError(f"There is no film in {', '.join(map(str, self.search.folders))}.")
        return Turns(jobs)

    def title_of(self, job: FilmJob) -> str:
        """The film's name; where it was found in a folder, its path below that."""
        below = (folder for folder in self.search.folders if job.input.is_relative_to(folder))
        return str(job.input.relative_to(next(below, job.input.parent)))


class Turns:
    """Each job once; one that was put back has another turn at the end."""

    def __init__(self, jobs: Sequence[FilmJob]) -> None:
        self.jobs = jobs
        self._again: list[FilmJob] = []

    def __iter__(self) -> Iterator[FilmJob]:
        yield from self.jobs
        yield from self._again

    def put_back(self, job: FilmJob) -> bool:
        """Give the film its second turn; whether it had not had that yet."""
        is_first = job not in self._again
        if is_first:
            self._again.append(job)
        return is_first


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a film ended, for the summary."""

    title: str
    result: FilmResult
    frames: int
    seconds: float
    """That it took."""


class Rendering:
    """Films while they are rendered."""

    def __init__(self, choice: FilmChoice, options: Mapping[str, Any], *, quiet: bool) -> None:
        """``options`` are those of :func:`~stream.archive.run.run_films`."""
        self._choice, self._options, self._quiet = choice, options, quiet
        self._stop, self._signals = StopRequest(), list[int]()
        self._title, self._frames, self._began = "", 0, 0.0
        self._ended: list[Ended] = []
        self._lists_skipped = False
        """Whether it is enough that the summary names finished films: there may be thousands."""

    def run(self, values: RawValues) -> int:
        """Render the films and return the exit code: of a signal, or of the first film that failed."""
        turns = self._choice.turns(values, self._stop)
        count = len(turns.jobs) if isinstance(turns, Turns) else None
        self._lists_skipped = count is not None and count > 1
        if count is None and not self._quiet:
            say(f"watching {', '.join(map(str, self._choice.search.folders))}; Ctrl-C ends that.")
        with handled_by(self._on_signal), films_view(count, quiet=self._quiet) as view:

            def watch(progress: Progress) -> None:
                self._on_progress(progress, view)

            for result in run_films(self._begun(turns, view), stop=self._stop, watch=watch, **self._options):
                if result.ending == "busy" and turns.put_back(result.job):
                    view.idle()
                    continue
                self._end(result, view)
        if not self._quiet and len(self._ended) > 1:
            for line in summary(self._ended, max_width=_terminal_width()):
                say(line)
        return 128 + self._signals[0] if self._signals else exit_code([one.result for one in self._ended])

    def _begun(self, turns: "Arrivals | Turns", view: FilmsView) -> Iterator[FilmJob]:
        """The jobs, each as it begins."""
        for job in with_folders(turns):
            self._title, self._frames, self._began = self._choice.title_of(job), 0, time.monotonic()
            view.begin(self._title)
            yield job

    def _on_progress(self, progress: Progress, view: FilmsView) -> None:
        if progress.note:
            say(f"{self._title}: {with_flags(progress.note)}")
            return
        self._frames = progress.frames
        view.progress(progress)

    def _end(self, result: FilmResult, view: FilmsView) -> None:
        view.end(result)
        seconds = time.monotonic() - self._began
        self._ended.append(Ended(title=self._title, result=result, frames=self._frames, seconds=seconds))
        if result.ending == "skipped" and self._lists_skipped:
            return
        for line in lines_of(self._title, result, quiet=self._quiet):
            say(line)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signals:
            raise_stopped(number, frame)
        self._signals.append(number)
        self._stop.stop()
        say("stopping; what is rendered is kept, and the same command goes on from there.")


def lines_of(title: str, result: FilmResult, *, quiet: bool) -> list[str]:
    """What is to be said of a film that has ended."""
    lines = [f"{title}: warning: {with_flags(warning)}" for warning in result.warnings]
    if result.film is not None and result.film.damage.any:
        lines.append(f"{title}: warning: the input is damaged: {result.film.damage.text}. The rest was processed.")
    if result.error is not None:
        return [*lines, f"{title}: error: {with_flags(str(result.error))}"]
    if quiet:
        return lines
    endings = {
        "done": f"{result.job.place} is finished",
        "skipped": "exists already: left alone",
        "stopped": "not finished",
    }
    return [*lines, f"{title}: {endings[result.ending]}"]


def summary(films: Sequence[Ended], max_width: int | None = None) -> list[str]:
    """A table of the films, and how many ended how."""
    rows = [("film", "ending", "frames", "seconds", "")]
    for one in films:
        worked = one.result.ending != "skipped"
        rows.append(
            (
                one.title,
                ENDINGS[one.result.ending],
                str(one.frames) if worked and one.frames else "",
                f"{one.seconds:.1f}" if worked else "",
                "" if one.result.error is None else with_flags(str(one.result.error)),
            )
        )
    counts = Counter(ENDINGS[one.result.ending] for one in films)
    total = f"{len(films)} films: {', '.join(f'{count} {ending}' for ending, count in counts.items())}"
    return [*aligned(rows, numeric=(2, 3), max_width=max_width), total]


def exit_code(results: Sequence[FilmResult]) -> int:
    """That of the first film that failed; else whether any input was damaged."""
    failed = next((result.error for result in results if result.error is not None), None)
    if failed is not None:
        return failed.exit_code
    return EXIT_DAMAGED if any(result.film is not None and result.film.damage.any for result in results) else 0


def _terminal_width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stderr.isatty() else None


def _warn(text: str) -> None:
    say(f"warning: {with_flags(text)}")
