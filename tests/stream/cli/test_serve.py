"""The command ``emocolor-stream serve``: its errors, and the files that it reads secrets from."""

import json
import re
import socket
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(180)
COMMAND = [sys.executable, "-m", "stream.cli", "serve"]


def fails(*arguments):
    """The exit code, and the lines on standard error."""
    done = subprocess.run([*COMMAND, *map(str, arguments)], check=False, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stderr.strip().splitlines()


def test_bad_options_are_one_line(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "login").write_text("no colon\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments, code, words in [
            (["--host", "0.0.0.0"], 2, "The host 0.0.0.0 .* 'auto' to have one generated"),
            (["--port", port], 2, f"Cannot listen on 127.0.0.1, port {port}.*choose another port"),
            (["--record", tmp_path / "none"], 5, "does not exist"),
            (["--token-file", tmp_path / "empty"], 2, "is empty"),
            (["--turn", "turn:x", "--turn-login", tmp_path / "login"], 2, "USER:PASSWORD"),
        ]:
            found, lines = fails(*arguments)
            assert found == code, lines
            errors = [line for line in lines if line.startswith("error: ")]
            assert len(errors) == len(lines) == 1, lines
            assert re.search(words, errors[0]), errors


def test_errors_are_json_where_the_log_is():
    code, lines = fails("--log-json", "--port", 99999)
    (line,) = map(json.loads, lines)
    assert (code, line["level"], line["exit_code"]) == (2, "error", 2)
    assert "server port must be a whole number between" in line["message"]
