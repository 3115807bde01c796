"""``emocolor-stream archive``: long films, in pieces that survive whatever stops them."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from emocolor.errors import ConfigurationError

from ..archive.film import FOLDER_ENDING, MANIFEST, FilmJob, Progress, missing
from ..archive.manifest import read_manifest
from ..archive.run import FilmResult, film_jobs, run_films
from ..files.stop_request import StopRequest
from ..settings import FILE_GROUPS
from .ending import Quiet, Verbose, perform
from .layers import OverlayFlag, PresetOption, SavePreset, applicable, raw_values, save_preset
from .messages import say, show
from .parameters import chain_parameter, flags_for, parameters_of, with_flags, with_parameters
from .signals import handled_by, raise_stopped

DEFAULT_SUFFIX: Final = ".mp4"
RENDER_HELP: Final = "Render films in pieces; the same command goes on where it was stopped."

Films = Annotated[list[Path], typer.Argument(metavar="FILM...", help="Video files.")]
Folder = Annotated[
    Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the finished films go, under their own names.")
]
Suffix = Annotated[str, typer.Option("--suffix", metavar=".EXT", help="Ending, and so the container, of the output.")]
Workers = Annotated[int, typer.Option("--workers", metavar="N", help="Pieces rendered in parallel, each by a process.")]
KeepPieces = Annotated[bool, typer.Option("--keep-pieces", help="Keep manifest and pieces of finished films.")]


class _RendersByDefault(TyperGroup):
    """``archive FILM...`` means ``archive render FILM...``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = args and args[0] in ("render", "show", "--help")
        return super().parse_args(ctx, args if known or not args else ["render", *args])


def archive_app() -> typer.Typer:
    """The commands."""
    app = typer.Typer(cls=_RendersByDefault, no_args_is_help=True)
    app.command("render", help=RENDER_HELP)(_render_command())

    @app.command()
    def show(
        folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where finished films go.")],
        verbose: Verbose = 0,
    ) -> None:
        """Print how far the films in FOLDER are."""
        perform(lambda: _show(folder), verbose)

    return app


def _render_command() -> Callable[..., None]:
    flags = flags_for(FILE_GROUPS)

    def render(
        *,
        films: Films,
        folder: Folder,
        suffix: Suffix = DEFAULT_SUFFIX,
        workers: Workers = 1,
        keep_pieces: KeepPieces = False,
        preset: PresetOption = None,
        effect: str | None = None,
        overlay: OverlayFlag = False,
        save: SavePreset = None,
        quiet: Quiet = False,
        verbose: Verbose = 0,
        **others: Any,
    ) -> None:
        def work() -> int:
            values = raw_values(flags, others, base={}, preset=preset, effect=effect, overlay=overlay)
            save_preset(save, values, FILE_GROUPS)
            values = applicable(values, flags)
            if workers < 1:
                raise ConfigurationError(f"There must be at least one worker, got {workers}.")
            if not folder.is_dir():
                raise ConfigurationError(f"The folder {folder} does not exist. Make it first, or write elsewhere.")
            jobs = film_jobs(films, folder, dict(values), suffix=suffix)
            return _run(jobs, workers=workers, keep_pieces=keep_pieces, quiet=quiet)

        perform(work, verbose)

    chain = chain_parameter()
    own = [chain if one.name == chain.name else one for one in parameters_of(render)]
    return with_parameters(render, render, [*own, *(flag.parameter for flag in flags)])


def _run(jobs: Sequence[FilmJob], *, workers: int, keep_pieces: bool, quiet: bool) -> int:
    """Render the films and return the exit code: that of the first that failed, or of the signal."""
    stop, signals = StopRequest(), list[int]()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if signals:
            raise_stopped(number, frame)
        signals.append(number)
        stop.stop()
        say("stopping; what is rendered is kept, and the same command goes on from there.")

    results = list[FilmResult]()
    with handled_by(on_signal), _display(quiet) as watch:
        for result in run_films(jobs, workers=workers, keep_pieces=keep_pieces, stop=stop, watch=watch):
            results.append(result)
            for line in _lines(result, quiet=quiet):
                say(line)
    failed = [result.error.exit_code for result in results if result.error is not None]
    if signals:
        return 128 + signals[0]
    return failed[0] if failed else 0


def _lines(result: FilmResult, *, quiet: bool) -> list[str]:
    name = result.job.input.name
    warnings = [f"{name}: warning: {with_flags(warning)}" for warning in result.warnings]
    if result.error is not None:
        return [*warnings, f"{name}: error: {with_flags(str(result.error))}"]
    endings = {
        "done": f"{result.job.output} is finished",
        "skipped": "exists already: left alone",
        "stopped": "not finished",
    }
    return warnings if quiet else [*warnings, f"{name}: {endings[result.ending]}"]


def _show(folder: Path) -> int:
    """Print a line for each unfinished film, and what it waits for."""
    found = sorted(folder.glob(f"*{FOLDER_ENDING}/{MANIFEST}"))
    if not found:
        show("No film is unfinished.")
    for path in found:
        manifest = read_manifest(path)
        output = folder / path.parent.name.removesuffix(FOLDER_ENDING)
        job = FilmJob(input=Path(manifest.header.input.path), output=output, values=manifest.header.values)
        waiting = missing(manifest, job)
        done = manifest.frame_count - sum(len(piece.times) for piece in waiting)
        show(
            f"{output.name}: {done} of {manifest.frame_count} frames ({100 * done // manifest.frame_count} %), "
            f"{len(manifest.pieces) - len(waiting)} of {len(manifest.pieces)} pieces"
        )
    return 0


def _say_piece(progress: Progress) -> None:
    """Tell a log that a piece is finished."""
    if progress.piece is not None and progress.total:
        say(f"{progress.film}: piece {progress.piece} is rendered, {100 * progress.frames // progress.total} % done")


@contextlib.contextmanager
def _display(quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Shows a bar for the film at work where somebody watches."""
    if quiet:
        yield lambda progress: None
        return
    if not sys.stderr.isatty():
        yield _say_piece
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f}%"))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task, now = bar.add_task(""), ""

        def show(progress: Progress) -> None:
            nonlocal now
            if (title := f"{progress.film}: {progress.phase}") != now:
                now = title
                bar.reset(task, description=title)
            bar.update(task, completed=progress.frames, total=progress.total)

        yield show
