"""The listing of commands, which is the same whether their options are built or not."""

import pytest
from typer.testing import CliRunner

from stream.cli.app import COMMANDS, build_app


def output_of(app, *words):
    done = CliRunner().invoke(app, list(words), env={"COLUMNS": "120", "TERM": "dumb"})
    assert done.exit_code == 0, done.output
    return done.output


def test_every_command_is_listed_with_its_help_built_or_not():
    listing = output_of(build_app(needed=()), "--help")
    assert listing == output_of(build_app(), "--help")
    for name, command in COMMANDS.items():
        assert f" {name} " in listing
        assert command.help.split()[0] in listing


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_needed_has_its_options(name):
    built = output_of(build_app(needed=[name]), name, "--help")
    assert built == output_of(build_app(), name, "--help")
    assert built != output_of(build_app(needed=()), name, "--help")
