"""Which lines on stderr are filtered; each test in a process of its own, since the descriptor belongs to it."""

import subprocess
import sys

WRITE = """
import os
from engines.mediapipe.log import quiet_stderr, quiet_until_logged_once
ONCE = b"W0000 00:00:1 7 inference_runner_litert.cc:1418] Input tensor memory is not aligned.\\n"
def write(line): os.write(2, line)
"""


def stderr_of(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", WRITE + script], capture_output=True, text=True, check=True)
    return done.stderr


def test_lines_of_others_are_passed_on_at_the_end() -> None:
    script = """
try:
    with quiet_stderr():
        write(b"INFO: [environment.cc:36] Creating LiteRT environment with options\\n")
        write(b"someone else's line\\n")
        raise OSError
except OSError:
    write(b"after\\n")
"""
    assert stderr_of(script) == "someone else's line\nafter\n"


def test_filtering_ends_after_the_line_that_is_logged_once() -> None:
    script = """
for line in (b"one\\n", ONCE, b"two\\n"):
    with quiet_until_logged_once():
        write(line)
with quiet_until_logged_once():
    write(ONCE)  # passed on: nothing is filtered any more
"""
    assert stderr_of(script).splitlines()[:2] == ["one", "two"]
    assert "not aligned" in stderr_of(script).splitlines()[2]


def test_filters_may_be_nested() -> None:
    script = """
with quiet_stderr():
    with quiet_until_logged_once():
        write(ONCE)
        write(b"inner\\n")
    write(b"outer\\n")
"""
    assert stderr_of(script) == "inner\nouter\n"
