"""What is held back on stderr, and what is not; each in a process of its own, whose descriptor it is."""

import subprocess
import sys

WRITE = """
import os
from engines.mediapipe.log import quiet_stderr, quiet_until_settled
ONCE = b"W0000 00:00:1 7 inference_runner_litert.cc:1418] Input tensor memory is not aligned.\\n"
def say(line): os.write(2, line)
"""


def stderr_of(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", WRITE + script], capture_output=True, text=True, check=True)
    return done.stderr


def test_lines_of_others_come_out_of_the_quiet_time() -> None:
    script = """
try:
    with quiet_stderr():
        say(b"INFO: [environment.cc:36] Creating LiteRT environment with options\\n")
        say(b"someone else's line\\n")
        raise OSError
except OSError:
    say(b"after\\n")
"""
    assert stderr_of(script) == "someone else's line\nafter\n"


def test_what_is_said_once_is_waited_for() -> None:
    script = """
for line in (b"one\\n", ONCE, b"two\\n"):
    with quiet_until_settled():
        say(line)
with quiet_until_settled():
    say(ONCE)  # no longer held back: nothing is done any more
"""
    assert stderr_of(script).splitlines()[:2] == ["one", "two"]
    assert "not aligned" in stderr_of(script).splitlines()[2]


def test_a_quiet_time_may_lie_within_another() -> None:
    script = """
with quiet_stderr():
    with quiet_until_settled():
        say(ONCE)
        say(b"inner\\n")
    say(b"outer\\n")
"""
    assert stderr_of(script) == "inner\nouter\n"
