"""What a person sees while films are rendered: a view in a terminal, or lines in a log."""

import contextlib
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from ...archive.film import PieceWork, Progress
from ...archive.run import FilmResult
from ..messages import printable, say
from .tables import duration

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

WINDOW_S: Final = 60.0
"""A rate is measured over so long."""
LEAST_SAMPLES: Final = 4
"""It reaches back to so many changes at least: a worker may tell of whole pieces alone."""
LEAST_SECONDS: Final = 1.0
"""Nothing is said of a rate that was measured over less."""
SHOWN_WORKERS: Final = 8
PHASES: Final = {"plan": "planning", "render": "rendering", "join": "joining"}
ENDINGS: Final = {
    "done": "done",
    "skipped": "left alone",
    "failed": "failed",
    "busy": "in work elsewhere",
    "stopped": "not finished",
}
"""How films end, in the order in which they are counted."""

Clock = Callable[[], float]


class Rate:
    """Frames a second, of late, from the first ones on: loading nets before them is no part of it."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._frames: int | None = None
        self._samples: deque[tuple[float, int]] = deque()
        """When there were more frames than before, and how many."""

    def add(self, frames: int) -> None:
        """Note how many frames there are in all. Fewer than before begin anew."""
        now = self._clock()
        if self._frames is not None and frames > self._frames:
            self._samples.append((now, frames))
        elif self._frames is not None and frames < self._frames:
            self._samples.clear()
        self._frames = frames
        while len(self._samples) > LEAST_SAMPLES and now - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()

    @property
    def fps(self) -> float | None:
        """``None`` while too little is known."""
        if len(self._samples) < 2:
            return None
        (start, before), (_, frames) = self._samples[0], self._samples[-1]
        seconds = self._clock() - start
        return (frames - before) / seconds if seconds >= LEAST_SECONDS else None

    def seconds_for(self, frames: int) -> float | None:
        """How long so many more take."""
        fps = self.fps
        return frames / fps if fps else None


class FilmsView(Protocol):
    """Is told what happens to films."""

    def begin(self, name: str) -> None:
        """A film has its turn."""
        ...

    def progress(self, progress: Progress) -> None:
        """The film goes on."""
        ...

    def end(self, result: FilmResult) -> None:
        """The film has ended."""
        ...

    def idle(self) -> None:
        """No film is there to be rendered."""
        ...


class Silence:
    """Shows nothing."""

    def begin(self, name: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass

    def end(self, result: FilmResult) -> None:
        pass

    def idle(self) -> None:
        pass


class Lines(Silence):
    """A line for each finished piece, for logs."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock, self._name, self._rate = clock, "", Rate(clock)

    def begin(self, name: str) -> None:
        self._name, self._rate = name, Rate(self._clock)

    def progress(self, progress: Progress) -> None:
        if progress.phase != "render" or not progress.total:
            return
        self._rate.add(progress.frames)
        if progress.piece is None:
            return
        left = self._rate.seconds_for(progress.total - progress.frames)
        say(
            f"{self._name}: piece {progress.piece} is rendered, {progress.pieces - progress.waiting} of "
            f"{progress.pieces}, {100 * progress.frames // progress.total} % done"
            + (f", {duration(left)} left" if left is not None and progress.waiting else "")
        )


class Board:
    """The film at work, who does what, and what has become of the films before it, in a few lines of a terminal."""

    def __init__(self, films: int | None, clock: Clock = time.monotonic) -> None:
        """``films``: in all, or ``None`` where more may come."""
        self._films, self._clock = films, clock
        self._endings: Counter[str] = Counter()
        self._name = ""
        self._now: Progress | None = None
        self._rate = Rate(clock)
        self._workers: dict[str, _Worker] = {}

    def begin(self, name: str) -> None:
        self._clear()
        self._name = name

    def progress(self, progress: Progress) -> None:
        if self._now is None or self._now.phase != progress.phase:
            self._rate, self._workers = Rate(self._clock), {}
        self._now = progress
        self._rate.add(progress.frames)
        if (work := progress.work) is not None:
            self._workers.setdefault(work.worker, _Worker(self._clock)).note(work, progress)

    def end(self, result: FilmResult) -> None:
        self._clear()
        self._endings[result.ending] += 1

    def idle(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._name, self._now, self._workers = "", None, {}

    def __rich__(self) -> "RenderableType":
        """All lines; called by the thread that refreshes the terminal."""
        from rich.console import Group

        return Group(*self._lines())

    def _lines(self) -> Iterator["RenderableType"]:
        from rich.text import Text

        now = self._now
        if now is not None:
            yield _bar(self._name, now)
            yield Text(self._amounts(now), no_wrap=True, overflow="ellipsis")
            yield from _worker_lines(list(self._workers.items()))
        elif self._films is None:
            yield Text("waiting for films", style="bold")
        if self._films != 1:
            yield Text(self._totals(), style="dim", no_wrap=True, overflow="ellipsis")

    def _amounts(self, now: Progress) -> str:
        fps, parts = self._rate.fps, [f"{now.frames:,} frames".replace(",", " ")]
        if now.total:
            parts = [f"{now.frames:,} of {now.total:,} frames".replace(",", " ")]
        if now.phase == "render":
            parts.append(f"{now.pieces - now.waiting} of {now.pieces} pieces")
        if fps is not None:
            parts.append(f"{fps:.1f} frames/s")
        left = self._rate.seconds_for(now.total - now.frames) if now.total else None
        return "   ".join(parts + ([f"{duration(left)} left"] if left is not None else []))

    def _totals(self) -> str:
        counts = [f"{self._endings[ending]} {text}" for ending, text in ENDINGS.items() if self._endings[ending]]
        if self._films is not None:
            counts.append(f"{self._films - self._endings.total() - (self._now is not None)} to come")
        return f"films: {', '.join(counts) or 'none yet'}"


class _Worker:
    """What one worker does, and how fast it is, over all its pieces."""

    def __init__(self, clock: Clock) -> None:
        self._rate = Rate(clock)
        self._finished = 0
        """Frames of its finished pieces."""
        self._text = ""

    def note(self, work: PieceWork, progress: Progress) -> None:
        if progress.piece is not None:
            self._finished += progress.piece_frames
            self._text = "waits for a piece"
            self._rate.add(self._finished)
        else:
            self._text = f"piece {work.piece:<5} {work.frames:>5} of {progress.piece_frames} frames"
            self._rate.add(self._finished + work.frames)

    def __str__(self) -> str:
        fps = self._rate.fps
        return self._text if fps is None else f"{self._text:<33} {fps:6.1f} frames/s"


def _worker_lines(workers: Sequence[tuple[str, _Worker]]) -> Iterator["Text"]:
    from rich.text import Text

    width = max((len(name) for name, _ in workers), default=0)
    for name, worker in workers[:SHOWN_WORKERS]:
        yield Text(f"  {printable(name):<{width}}   {worker}", style="cyan", no_wrap=True, overflow="ellipsis")
    if (more := len(workers) - SHOWN_WORKERS) > 0:
        yield Text(f"  and {more} more", style="cyan")


def _bar(name: str, now: Progress) -> "RenderableType":
    """The film's name, its phase, and how much of that is done."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2), expand=False)
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=36)
    for _ in range(3):
        grid.add_column(no_wrap=True)
    share = f"{100 * now.frames // now.total:>3} %" if now.total else ""
    bar = ProgressBar(total=now.total, completed=now.frames, width=24, pulse=not now.total)
    grid.add_row(Text(printable(name), style="bold"), PHASES[now.phase], bar, share)
    return grid


@contextlib.contextmanager
def films_view(films: int | None, *, quiet: bool) -> Iterator[FilmsView]:
    """What suits standard error: a board in a terminal, lines elsewhere, nothing where it is to be quiet."""
    if quiet:
        yield Silence()
        return
    if not sys.stderr.isatty():
        yield Lines()
        return
    from rich.console import Console
    from rich.live import Live

    board = Board(films)
    with Live(board, console=Console(stderr=True), refresh_per_second=4, transient=True):
        yield board
