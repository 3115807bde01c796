"""The window, on a screen that exists in memory alone."""

import os
import shutil
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.stream.live.stream_server import make_stream

PATIENCE_S = 90
SIZE = (640, 480)


@pytest.fixture
def screen(tmp_path):
    """A virtual screen: the variables that a program needs to use it, and how to look at it."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-fbdir", str(tmp_path)]
    with subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL) as server:
        os.close(theirs)
        with os.fdopen(ours) as said:
            number = said.readline().strip()
        yield {**os.environ, "DISPLAY": f":{number}"}, lambda: _screenshot(tmp_path / "Xvfb_screen0")
        server.terminate()


def _screenshot(path):
    """RGB, (H, W, 3) uint8, from the server's X window dump: a header, a colour map, and BGRX pixels."""
    data = path.read_bytes()
    header, colors, line = (struct.unpack_from(">I", data, 4 * place)[0] for place in (0, 19, 12))
    pixels = np.frombuffer(data, np.uint8, line * SIZE[1], header + 12 * colors)
    return pixels.reshape(SIZE[1], -1, 4)[:, : SIZE[0], 2::-1]


def test_a_window_shows_the_picture_and_goes_with_it(screen, tmp_path):
    environment, look = screen
    clip = tmp_path / "clip.ts"
    clip.write_bytes(make_stream(60, luma=140))
    arguments = ["live", str(clip), "--view", "--effect", "colormap:#000-#f00"]
    process = subprocess.Popen(
        [sys.executable, "-m", "stream.cli", *arguments], env=environment, stderr=subprocess.PIPE
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not (_is_red(look()).mean() > 0.03):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.terminate()
        said = process.communicate(timeout=PATIENCE_S)[1]
        assert process.returncode == 143, said
        assert b"Qt" not in said
    finally:
        process.kill()
        process.communicate()


def _is_red(rgb):
    red, green, blue = np.moveaxis(rgb.astype(int), -1, 0)
    return (red > 100) & (green < 60) & (blue < 60)
