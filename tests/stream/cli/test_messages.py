import ast
import io
import logging
import os
import pty
import sys
from pathlib import Path

import pytest

from stream.cli.messages import open_standard_streams, printable, printable_json, release_terminal, say, show_cursor


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("film.mp4: 50 frames, 1.5 s", "film.mp4: 50 frames, 1.5 s"),
        ("Ä🎞️ е\u0301 中", "Ä🎞️ е\u0301 中"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\r\tand \x7f\x85\x9b", "two\\nlines\\r\\tand \\x7f\\x85\\x9b"),
        ("gpj.\u202emp4\u2066\u2028", "gpj.\\u202emp4\\u2066\\u2028"),
        (os.fsdecode(b"caf\xe9.mp4"), "caf\\xe9.mp4"),
        ("Cannot read rtsp://u:p@h/1?t=2.", "Cannot read rtsp://u:***@h/1?t=***."),
    ],
)
def test_a_message_is_one_harmless_line(text, printed):
    assert printable(text) == printed
    stream = io.StringIO()
    say(text, stream)
    assert stream.getvalue() == f"{printed}\n"


def test_what_is_kept_is_kept():
    assert printable("a\n\tb\x1b", kept="\n\t") == "a\n\tb\\x1b"


def test_json_means_the_same():
    import json

    entry = {"message": "\x1b\x7f\x9b\u202e Ä 🎞", "quoted": '"\\"'}
    line = printable_json(json.dumps(entry, ensure_ascii=False))
    assert json.loads(line) == entry
    assert line.isprintable()
    assert "Ä 🎞" in line


def test_a_message_that_nobody_can_read_is_no_error():
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    say("lost", Gone())
    closed = io.StringIO()
    closed.close()
    say("lost", closed)


def test_logs_are_as_harmless(caplog):
    from stream.cli.logs import SafeLines

    try:
        raise ValueError("\x1b]0;title\x07 http://a:b@h/")
    except ValueError:
        record = logging.makeLogRecord({"msg": "from %s", "args": ("\x1b[2J",), "exc_info": sys.exc_info()})
    text = SafeLines("%(message)s").format(record)
    assert text.startswith("from \\x1b[2J\nTraceback")
    assert text.endswith("ValueError: \\x1b]0;title\\x07 http://a:***@h/")


def test_a_process_always_has_its_standard_streams(monkeypatch):
    """What is open stays; what is missing gets the null device, so that no other file takes its number."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    open_standard_streams()
    assert sys.stdout is not None
    assert sys.stderr is not None


def test_only_terminals_are_released():
    ours, theirs = pty.openpty()
    kept = {number: os.dup(number) for number in (1, 2)}
    reading, writing = os.pipe()
    try:
        os.dup2(theirs, 2)
        os.dup2(writing, 1)
        release_terminal()
        assert not os.isatty(2)
        os.write(1, b"still")
        assert os.read(reading, 10) == b"still"
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        for descriptor in (ours, theirs, reading, writing):
            os.close(descriptor)


def test_the_cursor_is_only_shown_on_terminals(capsys):
    show_cursor()
    assert capsys.readouterr().err == ""


def test_every_command_prints_through_this_module():
    """Names and tags of files can be in whatever a command prints."""
    folder = Path(__file__).parents[3] / "stream" / "cli"
    found = [
        f"{path.name}:{call.lineno}"
        for path in folder.glob("*.py")
        if path.name != "messages.py"
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("print", "typer.echo", "sys.stderr.write")
    ]
    assert not found, found


def test_a_message_from_within_a_message_is_not_lost(tmp_path):
    """A signal's handler may speak while the main program is writing to the same stream."""

    class Interrupted(io.FileIO):
        spoken = False

        def write(self, data):
            if not self.spoken:
                self.spoken = True
                say("from the handler", stream)
            return super().write(data)

    path = tmp_path / "lines"
    with io.TextIOWrapper(io.BufferedWriter(Interrupted(path, "w"))) as stream:
        say("from the program", stream)
    assert sorted(path.read_text().splitlines()) == ["from the handler", "from the program"]
