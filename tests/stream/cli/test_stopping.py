"""How a job ends by signals, real ones, in a process of its own."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import av
import numpy as np
import pytest

from tests.stream.cli.command_process import CommandProcess, call, names_in, raw_video

PLAIN = ("--effect", "none", "--codec", "rawvideo")
"""Nothing to load, and output as soon as there is input."""
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def frames_in(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture
def stalled_input():
    """A command whose standard input has given twenty frames and then no more."""

    def start(*arguments, **options):
        command = CommandProcess(*arguments, stdin=subprocess.PIPE, **options)
        with_input = command.__enter__()
        started.append(command)

        def feed():
            with contextlib.suppress(BrokenPipeError):  # it may end before it has read all
                for part in raw_video(20):
                    with_input.process.stdin.write(part)
                with_input.process.stdin.flush()

        feeder = threading.Thread(target=feed)
        feeder.start()
        feeders.append(feeder)
        return with_input

    started, feeders = [], []
    yield start
    for command in started:
        command.process.kill()
    for feeder in feeders:
        feeder.join()
    for command in started:
        command.__exit__()


class UnreadPipe:
    """A pipe that nobody reads."""

    def __init__(self):
        self.reading, self.writing = os.pipe()

    @property
    def is_full(self):
        """Whether it holds what pipes hold, but for a part of a page."""
        held = bytearray(4)
        fcntl.ioctl(self.reading, termios.FIONREAD, held)
        return int.from_bytes(held, sys.byteorder) > fcntl.fcntl(self.reading, fcntl.F_GETPIPE_SZ) - 4096


@pytest.fixture
def unread_pipe():
    pipe = UnreadPipe()
    yield pipe
    os.close(pipe.reading)
    os.close(pipe.writing)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A second of noise, more than a pipe holds."""
    path = tmp_path_factory.mktemp("clips") / "noise.y4m"
    path.write_bytes(b"".join(raw_video(25)))
    return path


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_stop_ends_a_job_whose_input_stalls_and_keeps_what_was_done(stalled_input, tmp_path, number, code):
    command = stalled_input("-", "-o", tmp_path / "out.nut", *PLAIN)
    command.wait_until_it_writes(tmp_path)
    command.signal(number)
    ended, said = command.finish()
    assert ended == code, said
    key = "press" if number == signal.SIGINT else "signal"
    assert said.startswith(f"finishing; {key} again to drop all.\nstopped: ")
    assert names_in(tmp_path) == ["out.nut"]
    assert 1 <= frames_in(tmp_path / "out.nut") <= 20


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_job_that_waits_for_its_first_byte_is_ended(tmp_path, number, code):
    os.mkfifo(tmp_path / "in.mkv")
    with CommandProcess(tmp_path / "in.mkv", "-o", tmp_path / "out.mkv", *PLAIN) as command:
        command.wait_until_it_handles_signals()
        command.wait_until(lambda: _has_open(command, tmp_path / "in.mkv"))
        command.signal(number)
        assert command.finish() == (code, "stopped before anything was done.\n")
    assert names_in(tmp_path) == ["in.mkv"]


def _has_open(command, path):
    folder = f"/proc/{command.process.pid}/fd"
    return any(os.path.realpath(f"{folder}/{name}") == str(path) for name in os.listdir(folder))


@pytest.mark.parametrize("where", ["standard output", "named pipe"])
def test_one_signal_is_enough_where_the_output_stalls(clip, tmp_path, unread_pipe, where):
    output, stdout = "-", unread_pipe.writing
    if where == "named pipe":
        output, stdout = tmp_path / "out.nut", None
        os.mkfifo(output)
        os.close(unread_pipe.reading)
        unread_pipe.reading = os.open(output, os.O_RDONLY | os.O_NONBLOCK)
    with CommandProcess(clip, "-o", output, "-f", "nut", *PLAIN, stdout=stdout) as command:
        command.wait_until(lambda: unread_pipe.is_full)
        command.signal(signal.SIGTERM)
        code, said = command.finish()
    assert code == 143, said
    assert said.startswith("finishing; signal again to drop all.\nstopped: Cannot write ")
    assert said.endswith(": its reader accepted nothing for 5 s. The rest is dropped.\n")


def test_a_second_signal_drops_everything_where_the_output_stalls(clip, unread_pipe):
    with CommandProcess(clip, "-o", "-", "-f", "nut", *PLAIN, stdout=unread_pipe.writing) as command:
        command.wait_until(lambda: unread_pipe.is_full)
        command.signal(signal.SIGINT)
        assert command.process.stderr.readline() == b"finishing; press again to drop all.\n"
        command.signal(signal.SIGINT)
        assert command.finish() == (130, "error: stopped at once; nothing was kept.\n")


def test_a_server_that_says_nothing_holds_nobody(clip, tmp_path):
    """It accepts the connection and never responds, of which FFmpeg alone would wait without end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        url = f"rtmp://127.0.0.1:{server.getsockname()[1]}/app/S3CRET"
        with CommandProcess(clip, "-o", url, "--effect", "none", "--encoder-preset", "ultrafast") as command:
            connection, _ = server.accept()
            command.signal(signal.SIGTERM)
            code, said = command.finish()
        connection.close()
    assert code == 143, said
    assert said.startswith("finishing; signal again to drop all.\nstopped: ")
    assert "/app/***" in said
    assert "S3CRET" not in said


def test_what_never_returns_is_left_behind_and_leaves_no_file(clip, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import threading\n\n\nclass Waits:\n    needs = frozenset()\n\n    def apply(self, frame, scene):\n"
        "        open('reached', 'w').close()\n        threading.Event().wait()\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONDONTWRITEBYTECODE": "1"}
    arguments = (clip, "-o", "out.mp4", "--timeline", "t.csv", "--effect", "mine:Waits")
    with CommandProcess(*arguments, cwd=tmp_path, env=environment) as command:
        command.wait_until((tmp_path / "reached").exists)
        assert len(names_in(tmp_path)) == 4
        command.signal(signal.SIGTERM)
        assert command.process.stderr.readline() == b"finishing; signal again to drop all.\n"
        command.signal(signal.SIGTERM)
        assert command.finish() == (143, "error: stopped at once; nothing was kept.\n")
    assert names_in(tmp_path) == ["mine.py", "reached"]


@pytest.fixture(scope="module")
def longer_clip(tmp_path_factory):
    """Seconds of work."""
    path = tmp_path_factory.mktemp("clips") / "longer.y4m"
    path.write_bytes(b"".join(raw_video(250)))
    return path


@pytest.mark.parametrize("moment", range(6))
def test_ctrl_c_while_the_command_starts_is_a_clean_end(longer_clip, tmp_path, moment):
    """At every moment of it: modules and nets are loaded, files are opened."""
    with CommandProcess(longer_clip, "-o", tmp_path / "out.mp4") as command:
        command.wait_until_it_handles_signals()
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.process.wait(0.25 * moment)
        command.signal(signal.SIGINT)
        code, said = command.finish()
    assert code == 130, said
    assert "Traceback" not in said
    if said.startswith("finishing"):
        assert names_in(tmp_path) == ["out.mp4"]
        assert frames_in(tmp_path / "out.mp4") > 0
    else:
        assert said == "stopped before anything was done.\n"
        assert names_in(tmp_path) in ([], [name for name in names_in(tmp_path) if name.endswith(".part")])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_job_never_leaves_half_a_file_under_the_final_name(clip, tmp_path):
    """Twenty times, at random moments; what is left behind is removed by the next job."""
    out, random = tmp_path / "out.mp4", np.random.default_rng(7)
    arguments = (clip, "-o", out, "--effect", "none", "--encoder-preset", "slower", "--overwrite")

    def is_writing():
        return any(name.endswith(".part") for name in names_in(tmp_path))

    with CommandProcess(*arguments) as command:
        command.wait_until(is_writing)
        began = time.monotonic()
        assert command.process.wait() == 0
    lasted_s, killed, leftovers = time.monotonic() - began, 0, 0
    out.write_bytes(b"old")
    for _ in range(20):
        with CommandProcess(*arguments) as command:
            before = names_in(tmp_path)
            command.wait_until(lambda before=before: is_writing() and names_in(tmp_path) != before)
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.process.wait(random.uniform(0, 1) * lasted_s)
            command.signal(signal.SIGKILL)
            killed += command.process.wait() == -signal.SIGKILL
        assert out.read_bytes() == b"old" or frames_in(out) == 25
        leftovers = max(leftovers, len(names_in(tmp_path)) - 1)
    assert killed > 5
    assert leftovers == 1
    assert call(*arguments).returncode == 0
    assert names_in(tmp_path) == ["out.mp4"]
