"""The command in a process of its own, observed and signalled."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

COMMAND = (sys.executable, "-m", "stream.cli")
PATIENCE_S = 90
CAUGHT_MASK = "SigCgt:"
SIZE_WH = (320, 240)


def call(*arguments, **options):
    """Run the command to its end."""
    options = {"capture_output": True, "text": True, "timeout": PATIENCE_S} | options
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False, **options)


@contextlib.contextmanager
def hangups_passed_on():
    """What starts here gets SIGHUP, even where the tests themselves run under ``nohup``: it would inherit that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


class CommandProcess:
    """Runs from the entry into its ``with`` block, and is killed at the latest at the exit."""

    def __init__(self, *arguments, **options):
        self._command = [*COMMAND, *map(str, arguments)]
        self._options = {"stderr": subprocess.PIPE, **options}

    def __enter__(self):
        with hangups_passed_on():
            self.process = subprocess.Popen(self._command, **self._options)
        return self

    def __exit__(self, *error):
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def wait_until(self, condition):
        """Wait until something outside is true of it: nothing tells when, but the process's end is noticed."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "waited too long"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.01)
                raise AssertionError(f"ended: {self.process.stderr.read()}")

    def wait_until_it_handles_signals(self):
        def handles(status=Path(f"/proc/{self.process.pid}/status")):
            masks = [line for line in status.read_text().splitlines() if line.startswith(CAUGHT_MASK)]
            return bool(masks) and int(masks[0].split()[1], 16) >> 14 & 1  # SIGTERM

        self.wait_until(handles)

    def wait_until_it_writes(self, folder):
        """Until a temporary file there has grown."""
        self.wait_until(lambda: any(_size(path) for path in Path(folder).glob(".*.part")))

    def finish(self):
        """Its exit code and what it printed on standard error; it is killed where it does not end."""
        ends = threading.Timer(PATIENCE_S, self.process.kill)
        ends.start()
        printed = self.process.stderr.read()
        ends.cancel()
        return self.process.wait(PATIENCE_S), printed.decode()


def _size(path):
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def raw_video(frames):
    """Frames of noise as YUV4MPEG2, which can be piped in frame by frame; the header first."""
    width, height = SIZE_WH
    yield f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C420\n".encode()
    random = np.random.default_rng(3)
    for _ in range(frames):
        yield b"FRAME\n" + random.integers(0, 256, width * height * 3 // 2, np.uint8).tobytes()


def names_in(folder):
    return sorted(os.listdir(folder))
