"""The command ``emocolor-stream``: parse, call, print."""

import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from .ending import EXIT_CODES, Verbose, interruptible, perform
from .messages import show


@dataclass(frozen=True)
class _Command:
    """A command in the listing, and what it is made by."""

    help: str
    add: Callable[[typer.Typer, str, str], object]
    """Adds the command, with all its options, to the application under a name and with a help text."""


def _add_run(app: typer.Typer, name: str, help: str) -> None:
    from .jobs import run_command

    app.command(name, help=help)(run_command())


def _add_remaster(app: typer.Typer, name: str, help: str) -> None:
    from .jobs import remaster_command

    app.command(name, help=help)(remaster_command())


def _add_archive(app: typer.Typer, name: str, help: str) -> None:
    from .archive.command import archive_app

    app.add_typer(archive_app(), name=name, help=help)


def _add_live(app: typer.Typer, name: str, help: str) -> None:
    from .live import LIVE_EPILOG, live_command

    app.command(name, help=help, epilog=LIVE_EPILOG)(live_command())


def _add_serve(app: typer.Typer, name: str, help: str) -> None:
    from .serve import SERVE_EPILOG, serve_command

    app.command(name, help=help, epilog=SERVE_EPILOG)(serve_command())


def _add_demo(app: typer.Typer, name: str, help: str) -> None:
    app.command(name, help=help)(demo)


def _add_doctor(app: typer.Typer, name: str, help: str) -> None:
    app.command(name, help=help)(doctor)


def _add_presets(app: typer.Typer, name: str, help: str) -> None:
    from .presets import presets_app

    app.add_typer(presets_app(), name=name, help=help)


def _add_engines(app: typer.Typer, name: str, help: str) -> None:
    from .engines import engines_app

    def perform_engines(work: Callable[[], int], verbose: int) -> None:
        perform(partial(interruptible, work), verbose)

    app.add_typer(engines_app(perform_engines), name=name, help=help)


COMMANDS: Final = {
    "run": _Command("Recolour INPUT by the emotion of the faces in it.", _add_run),
    "remaster": _Command(
        "Restore old gray footage and give it natural, stable colours. Starts from the preset archive.", _add_remaster
    ),
    "live": _Command("Recolour a camera or a stream as it comes, within a latency budget.", _add_live),
    "serve": _Command("Serve a page that recolours the camera live, and WHIP and WHEP for other clients.", _add_serve),
    "demo": _Command("Make a short clip with a changing face, recolour it, and draw the result.", _add_demo),
    "doctor": _Command("Print versions, codecs and devices, and which backend would run.", _add_doctor),
    "archive": _Command("Render long films in pieces, in parallel, and go on where it was stopped.", _add_archive),
    "presets": _Command("List and show presets.", _add_presets),
    "engines": _Command("List, build, time and clear compiled nets.", _add_engines),
}
"""All commands, in the order of the listing."""
GENERAL: Final = ("--help", "--version", "--install-completion", "--show-completion")
"""Options of the application itself."""


class _DefaultsToRun(TyperGroup):
    """``emocolor-stream INPUT -o OUT`` means ``emocolor-stream run INPUT -o OUT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [*_implied(args), *args])


def _implied(words: Sequence[str]) -> list[str]:
    """What may be left out before these words of the command line."""
    if not words:
        return ["--help"]
    return [] if words[0] in (*COMMANDS, *GENERAL) else ["run"]


def build_app(needed: Collection[str] = COMMANDS.keys()) -> typer.Typer:
    """The command and all that it can do, from the options as they are declared now.

    Commands that are not ``needed`` are listed but get no options, which saves a tenth of a second at the start.
    """
    app = typer.Typer(
        cls=_DefaultsToRun,
        name="emocolor-stream",
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        help="Recolour a video by the emotion of the faces in it.\n\n"
        "[bold]emocolor-stream INPUT -o OUTPUT[/bold] is all it takes; "
        "[bold]emocolor-stream run --help[/bold] lists every option.",
        epilog=EXIT_CODES,
    )
    app.callback()(_options)
    for name, command in COMMANDS.items():
        if name in needed:
            command.add(app, name, command.help)
        else:
            app.command(name, help=command.help)(_listed)
    return app


def _listed() -> None:
    """Stands in the listing for a command that is not needed."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        show(f"emocolor-stream {version('emocolor-stream')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def demo(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the clip and what is made of it go.")] = Path(
        "demo"
    ),
    overwrite: Annotated[bool, typer.Option("--overwrite", "-y", help="Replace existing files.")] = False,
    verbose: Verbose = 0,
) -> None:
    def work() -> int:
        from ..demo.run import run_demo

        for path, description in run_demo(folder, overwrite=overwrite).items():
            show(f"{path!s:<24} {description}")
        return 0

    perform(partial(interruptible, work), verbose)


def doctor(verbose: Verbose = 0) -> None:
    def work() -> int:
        from .doctor import examine

        return examine()

    perform(work, verbose)


def run_app(words: Sequence[str]) -> None:
    """Run the command with these words; exits."""
    sys.path.insert(0, "")  # effects of the user's own may lie in the working folder
    build_app(needed=[*_implied(words), *words][:1])(args=list(words), prog_name="emocolor-stream")
