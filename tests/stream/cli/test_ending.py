"""How commands end."""

import logging
import os
import subprocess
import sys

import pytest

from emocolor.errors import SourceError
from stream.cli.ending import end, perform


def code_of(work, verbose=0):
    with pytest.raises(SystemExit) as caught:
        end(work, verbose)
    return caught.value.code


def fail(error):
    raise error


def test_the_code_is_what_the_work_returns():
    assert code_of(lambda: 3) == 3


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SourceError("There is no a.mp4."), 4, "error: There is no a.mp4."),
        (KeyboardInterrupt(), 130, "stopped before anything was done."),
        (ValueError("two\nlines"), 1, "error: this should not happen (ValueError: two lines); please report it"),
    ],
)
def test_an_error_is_one_line(error, code, line, capsys):
    assert code_of(lambda: fail(error)) == code
    written = capsys.readouterr().err
    assert written.startswith(line)
    assert len(written.splitlines()) == 1


@pytest.mark.parametrize("error", [SourceError("There is no a.mp4."), ValueError("a bug")])
def test_traces_are_for_those_who_ask(error, capsys):
    code_of(lambda: fail(error), verbose=2)
    assert "Traceback" in capsys.readouterr().err


def test_verbosity_sets_the_level_of_the_log(monkeypatch):
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", logging.WARNING)
    with pytest.raises(SystemExit):
        perform(lambda: 0, 1)
    assert root.level == logging.INFO
    assert logging.getLogger("asyncio").level == logging.WARNING


def test_a_reader_of_the_output_that_leaves_ends_the_command_quietly():
    """As ``emocolor-stream presets | head -1`` does."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "stream.cli", "presets"]
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (5, b"")
