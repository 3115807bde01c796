"""Opening a MediaPipe task does not import what it does not use."""

import subprocess
import sys

import pytest

OPENED = """
import sys
from engines.mediapipe.face_detector import MediaPipeFaceDetector
MediaPipeFaceDetector().close()
"""


def run_python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_no_task_uses_is_not_imported() -> None:
    found = run_python(
        f"{OPENED}\nprint([name for name in sys.modules if name.startswith(('matplotlib', 'sounddevice'))])"
    )
    assert found == "[]\n"


def test_mediapipe_s_drawing_still_plots() -> None:
    """MediaPipe's own functions get the plotting library once they use it."""
    pytest.importorskip("matplotlib")
    found = run_python(
        f"{OPENED}\nfrom mediapipe.tasks.python.vision import drawing_utils"
        "\nimport matplotlib\nmatplotlib.use('agg')\nprint(drawing_utils.plt.figure().get_figwidth() > 0)"
    )
    assert found == "True\n"


def test_a_plotting_library_imported_before_stays() -> None:
    pytest.importorskip("matplotlib")
    found = run_python(f"import matplotlib\n{OPENED}\nprint(sys.modules['matplotlib'] is matplotlib)")
    assert found == "True\n"


def test_where_sockets_cannot_be_forbidden_one_warning_says_what_that_means() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import platform\nplatform.machine = lambda: 'vax'\n{OPENED}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    warnings = [line for line in done.stderr.splitlines() if "Google" in line]
    assert len(warnings) == 1
    assert "may report its use to Google, which cannot be prevented here: there is no filter for linux" in warnings[0]
