"""A job in pieces, as a person runs it: it ends as others do, and goes on where it was stopped."""

import sys
from types import FrameType
from typing import Final

from ..archive.divisible import check_resumable, in_pieces_by_default
from ..archive.film import FilmJob, FinishedFilm, Progress
from ..archive.run import FilmResult, run_film
from ..files.places import check_place
from ..files.stop_request import StopRequest
from ..media.locations import local_path
from ..settings import JobSettings, PiecesOptions, RawValues
from .archive.view import FilmsView, films_view
from .console import EXIT_DAMAGED, Tally, damage_warning, summary_of, target_of, unseen
from .messages import release_terminal, say
from .parameters import with_flags
from .signals import HANGUP, handled_by, raise_stopped

GOES_ON: Final = "what is rendered is kept, and the same command goes on from there"


def is_in_pieces(settings: JobSettings, options: PiecesOptions) -> bool:
    """Whether a job is rendered in pieces. Raises ``ConfigurationError`` where that was asked for and cannot be."""
    if options.resumable is None:
        return in_pieces_by_default(settings)
    if options.resumable:
        check_resumable(settings)
    return options.resumable


def film_job(settings: JobSettings, values: RawValues) -> FilmJob:
    """The job in pieces for settings that allow it, which ``values`` stand for."""
    input, output = local_path(settings.input), local_path(settings.output or "")
    assert input is not None
    assert output is not None
    return FilmJob(input=input, output=output, values=values, timeline=settings.timeline, strip=settings.strip)


def run_in_pieces(job: FilmJob, options: PiecesOptions, *, show_progress: bool) -> int:
    """Run the job and return its exit code; raises an ``EmocolorError`` where it fails."""
    settings, tally, stopping = job.settings, Tally(), _Stopping(restart=options.restart)
    if not job.folder.exists():
        check_place(job.output, overwrite=settings.sink.overwrite, inputs=[job.input])
    visible = show_progress and sys.stderr.isatty()
    with handled_by(stopping.on_signal), films_view(1, quiet=not visible) as view:
        view.begin(job.input.name)
        result = run_film(
            job,
            workers=1,
            keep_pieces=options.keep_pieces,
            restart=options.restart,
            stop=stopping.stop,
            watch=lambda progress: _show(progress, view),
        )
        view.end(result)
    if result.film is not None:
        return _conclude(result.film, settings, tally, visible)
    return _unfinished(result, settings, stopping)


class _Stopping:
    """The first signal keeps what is rendered; the second ends at once."""

    def __init__(self, *, restart: bool) -> None:
        self.stop, self.signal = StopRequest(), 0
        self._hint = f"{GOES_ON}, without --restart" if restart else GOES_ON

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if number == HANGUP:
            release_terminal()
        if self.signal:
            raise_stopped(number, frame)
        self.signal = number
        self.stop.stop()
        say(f"stopping; {self._hint}.")


def _show(progress: Progress, view: FilmsView) -> None:
    if progress.note:
        say(with_flags(progress.note))
    else:
        view.progress(progress)


def _conclude(film: FinishedFilm, settings: JobSettings, tally: Tally, visible: bool) -> int:
    """Say what was done and return the exit code."""
    for warning in [*film.warnings, *unseen(settings.effects, seen=film.faces)]:
        say(f"warning: {with_flags(warning)}")
    if film.damage.any:
        say(damage_warning(film.damage))
        return EXIT_DAMAGED
    if visible:
        tally.frames, tally.analyses, tally.media_seconds = film.frames, film.analyses, film.seconds
        say(summary_of(settings, tally))
    return 0


def _unfinished(result: FilmResult, settings: JobSettings, stopping: _Stopping) -> int:
    if result.ending == "skipped":
        say(f"{target_of(settings)} was finished before.")
        return 0
    say(f"stopped: {target_of(settings)} is not finished; its pieces lie in {result.job.folder}.")
    return 128 + stopping.signal
