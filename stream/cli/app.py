"""The command ``emocolor-stream``: parse, call, print."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .ending import EXIT_CODES, Verbose, perform
from .engines import engines_app
from .jobs import remaster_command, run_command
from .live import LIVE_EPILOG, live_command
from .presets import presets_app
from .serve import SERVE_EPILOG, serve_command


class _DefaultsToRun(TyperGroup):
    """``emocolor-stream INPUT -o OUT`` means ``emocolor-stream run INPUT -o OUT``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        own = {*self.commands, "--help", "--version", "--install-completion", "--show-completion"}
        if args and args[0] not in own:
            args = ["run", *args]
        elif not args:
            args = ["--help"]
        return super().parse_args(ctx, args)


def build_app() -> typer.Typer:
    """The command and all that it can do, from the options as they are declared now."""
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
    app.command("run")(run_command())
    app.command("remaster")(remaster_command())
    app.command("live", epilog=LIVE_EPILOG)(live_command())
    app.command("serve", epilog=SERVE_EPILOG)(serve_command())
    app.add_typer(presets_app(), name="presets")
    app.add_typer(engines_app(perform), name="engines")
    app.command()(demo)
    app.command()(doctor)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"emocolor-stream {version('emocolor-stream')}")
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
    verbose: Verbose = 0,
) -> None:
    """Make a short clip with a changing face, recolour it, and draw the result."""

    def work() -> int:
        from ..demo.run import run_demo

        for path, description in run_demo(folder).items():
            print(f"{path!s:<24} {description}")
        return 0

    perform(work, verbose)


def doctor(verbose: Verbose = 0) -> None:
    """Print versions, codecs and devices, and which backend would run."""

    def work() -> int:
        from .doctor import examine

        return examine()

    perform(work, verbose)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command with these words, by default those of the command line; exits."""
    sys.path.insert(0, "")  # effects of the user's own may lie in the working folder
    build_app()(args=list(arguments) if arguments is not None else None, prog_name="emocolor-stream")
