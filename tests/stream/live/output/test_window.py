"""The window, on a display that exists in memory alone, and what is reported without one."""

import os
import shutil
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest

from emocolor.errors import MissingDependencyError
from stream.live.output.window import check_window
from tests.stream.live.live_process import LiveProcess
from tests.stream.live.stream_server import make_stream

SIZE = (640, 480)
linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have displays of their own")


@pytest.fixture
def display(tmp_path):
    """A virtual display: the variables that a program needs to use it, and a function that takes a screenshot."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    ours, theirs = os.pipe()
    command = ["Xvfb", "-displayfd", str(theirs), "-screen", "0", f"{SIZE[0]}x{SIZE[1]}x24", "-fbdir", str(tmp_path)]
    with subprocess.Popen(command, pass_fds=[theirs], stderr=subprocess.DEVNULL) as server:
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            number = pipe.readline().strip()
        yield {**os.environ, "DISPLAY": f":{number}"}, lambda: _screenshot(tmp_path / "Xvfb_screen0")
        server.terminate()


def _screenshot(path):
    """RGB, (H, W, 3) uint8, from the server's X window dump: a header, a colour map, and BGRX pixels."""
    data = path.read_bytes()
    header, colors, line = (struct.unpack_from(">I", data, 4 * place)[0] for place in (0, 19, 12))
    pixels = np.frombuffer(data, np.uint8, line * SIZE[1], header + 12 * colors)
    return pixels.reshape(SIZE[1], -1, 4)[:, : SIZE[0], 2::-1]


def test_a_window_shows_the_frames_and_closes_with_the_run(display, tmp_path):
    environment, screenshot = display
    clip = tmp_path / "clip.ts"
    clip.write_bytes(make_stream(60, luma=140))
    arguments = (clip, "--view", "--effect", "colormap:#000-#f00")
    with LiveProcess(*arguments, tapped=True, env=environment) as process:
        while _is_red(screenshot()).mean() <= 0.03:  # one more look for every second of video
            process.wait_for_output(10_000)
        process.send_signal(signal.SIGTERM)
        code, log = process.finish()
    assert code == 143, log
    assert "Qt" not in log


def _is_red(rgb):
    red, green, blue = np.moveaxis(rgb.astype(int), -1, 0)
    return (red > 100) & (green < 60) & (blue < 60)


@linux_only
@pytest.mark.parametrize(
    ("environment", "message"),
    [({}, "neither DISPLAY nor WAYLAND_DISPLAY is set"), ({"DISPLAY": "localhost:99"}, "No window can be opened")],
)
def test_without_a_display_that_is_reported(environment, message):
    with pytest.raises(MissingDependencyError, match=message):
        check_window({"PATH": os.environ["PATH"], **environment})
