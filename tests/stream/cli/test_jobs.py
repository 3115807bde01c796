"""The commands for files, called in this process."""

import inspect

import pytest

from emocolor.errors import ConfigurationError
from stream.cli.jobs import remaster_command, run_command


def call(command, capsys, **arguments):
    """Exit code and what was written, of a command whose other parameters are left at their defaults."""
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(command).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    with pytest.raises(SystemExit) as caught:
        command(**defaults | arguments)
    written = capsys.readouterr()
    return caught.value.code, written.out, written.err


def test_run_prints_its_plan(demo_clip, capsys):
    code, out, err = call(run_command(), capsys, input=str(demo_clip), effect="grade:0.5", dry_run=True)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["input", "analysis", "smoothing", "grade"]


def test_remaster_starts_from_its_preset_and_is_otherwise_the_same(demo_clip, tmp_path, capsys):
    output = str(tmp_path / "out.mp4")
    code, out, _ = call(remaster_command(), capsys, input=str(demo_clip), output=output, dry_run=True)
    assert code == 0
    assert "restoration deinterlace auto" in out
    assert "colorize  net film" in out
    assert "strip" in out
    ours, theirs = (set(inspect.signature(one()).parameters) for one in (run_command, remaster_command))
    assert theirs - ours == {"strip"}
    assert ours <= theirs


@pytest.mark.parametrize(
    ("command", "words"),
    [(run_command, "pass -o OUTPUT, or --timeline FILE"), (remaster_command, "pass -o OUTPUT.")],
)
def test_something_must_be_written(command, words, demo_clip, capsys):
    code, _, err = call(command(), capsys, input=str(demo_clip))
    assert code == ConfigurationError.exit_code
    assert words in err


def test_a_preset_is_saved_even_without_a_job(demo_clip, tmp_path, capsys):
    saved = tmp_path / "mine.toml"
    code, _, _ = call(run_command(), capsys, input=str(demo_clip), save=saved, dry_run=True)
    assert code == 0
    assert saved.read_text().startswith('description = ""\neffect = "tint"\n')
