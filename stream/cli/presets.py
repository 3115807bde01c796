"""``emocolor-stream presets``: list and show the presets that ship."""

from typing import Annotated, Any

import tomli_w
import typer

from ..presets import preset_names, read_preset
from .ending import Verbose, perform
from .messages import show


def presets_app() -> typer.Typer:
    """The commands."""
    app = typer.Typer(invoke_without_command=True)

    @app.callback()
    def _list(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            perform(list_presets, 0)

    @app.command("list")
    def list_(verbose: Verbose = 0) -> None:
        """Print the presets that ship, and what they do."""
        perform(list_presets, verbose)

    @app.command()
    def show(
        name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset that ships, or a .toml file.")],
        verbose: Verbose = 0,
    ) -> None:
        """Print a preset as TOML."""
        perform(lambda: show_preset(name), verbose)

    return app


def list_presets() -> int:
    """Print names and descriptions."""
    for name in preset_names():
        show(f"{name:<12} {read_preset(name).description}")
    return 0


def show_preset(name: str) -> int:
    """Print a preset as TOML, ready to be saved and changed."""
    preset = read_preset(name)
    values: dict[str, Any] = {"description": preset.description, **preset.values}
    show(tomli_w.dumps(values), end="")
    return 0
