"""``emocolor-stream archive``: long films, in pieces that survive whatever stops them."""

from collections.abc import Callable
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from emocolor.errors import ConfigurationError

from ...archive.executors import default_workers
from ...archive.inputs import DEFAULT_NAME, DEFAULT_SUFFIX
from ...archive.watching import DEFAULT_SETTLE_S
from ...settings import FILE_GROUPS, RUN_GROUPS, without_pieces
from ..ending import Quiet, Verbose, perform
from ..layers import OverlayFlag, PresetOption, SavePreset, applicable, raw_values, save_preset
from ..parameters import chain_parameter, flags_for, parameters_of, with_parameters
from .rendering import FilmChoice, Rendering
from .showing import show_films

PIECES_OPTIONS: Final = ("pieces.restart", "pieces.keep_pieces")
"""Here everything is in pieces, so nobody needs to ask for that."""
RENDER_HELP: Final = "Render films in pieces; the same command goes on where it was stopped."

Films = Annotated[
    list[Path] | None,
    typer.Argument(metavar="FILM|FOLDER...", help="Video files, and folders of them with all that is below."),
]
Folder = Annotated[
    str, typer.Option("--output", "-o", metavar="FOLDER|URL", help="Where the finished films go, as s3://bucket/films.")
]
Suffix = Annotated[str, typer.Option("--suffix", metavar=".EXT", help="Ending, and so the container, of the output.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        help="Pieces rendered in parallel, each by a process. Default: one for each core, or GPU, that have memory.",
    ),
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="HOST:PORT|local", help="Render on a Ray cluster, or by Ray on this machine."),
]
AsJson = Annotated[bool, typer.Option("--json", help="A line of JSON for each film.")]


def _parameter(name: str, kind: Any, default: Any, *spelled: str, **more: Any) -> Parameter:
    annotation = Annotated[kind, typer.Option(*spelled, rich_help_panel="Which films", **more)]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


CHOICE: Final = (
    _parameter(
        *("pattern", list[str] | None, None, "--pattern"),
        metavar="GLOB",
        help="Which files of folders are films: by name, or, with a slash, by path. Default: by the usual endings.",
    ),
    _parameter(
        *("list_file", Path | None, None, "--list"),
        metavar="FILE",
        help="Films and folders, one path a line, relative to the list; - for standard input.",
    ),
    _parameter(
        *("name", str, DEFAULT_NAME, "--name"),
        metavar="TEMPLATE",
        help="Names of outputs without ending: {stem}, {suffix} and {parent} of the film, {relative} to its folder.",
    ),
    _parameter(
        *("watch", bool, False, "--watch"), help="Go on with films as they arrive in the folders, until Ctrl-C."
    ),
    _parameter(
        *("settle", float, DEFAULT_SETTLE_S, "--settle"),
        metavar="SECONDS",
        help="With --watch: a film is complete when its file has not changed for so long.",
    ),
)
"""Options that choose films and name what is made of them."""


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
        folder: Annotated[str, typer.Argument(metavar="FOLDER|URL", help="Where finished films go.")],
        as_json: AsJson = False,
        verbose: Verbose = 0,
    ) -> None:
        """Print how far the films in FOLDER are."""
        perform(lambda: show_films(folder, as_json=as_json), verbose)

    return app


def _render_command() -> Callable[..., None]:
    flags = flags_for(RUN_GROUPS, only=PIECES_OPTIONS)

    def render(
        *,
        films: Films = None,
        folder: Folder,
        suffix: Suffix = DEFAULT_SUFFIX,
        workers: Workers = None,
        ray: Ray = None,
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
            values, pieces = without_pieces(applicable(values, flags))
            if workers is not None and ray is not None:
                raise ConfigurationError("A Ray cluster has as many workers as it has room for: leave --workers out.")
            if workers is not None and workers < 1:
                raise ConfigurationError(f"There must be at least one worker, got {workers}.")
            choice = FilmChoice.of(films or [], folder, suffix, others)
            count = default_workers(values.get("device", "auto")) if workers is None else workers
            how = {"workers": count, "ray": ray, "keep_pieces": pieces.keep_pieces, "restart": pieces.restart}
            return Rendering(choice, how, quiet=quiet).run(values)

        perform(work, verbose)

    chain = chain_parameter()
    own = [chain if one.name == chain.name else one for one in parameters_of(render)]
    return with_parameters(render, render, [*own, *CHOICE, *(flag.parameter for flag in flags)])
