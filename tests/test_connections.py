"""Nothing connects to anything, and nothing leaves a trace in the home folder, unless somebody asked for it."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

from tests.network_watch import can_count_packets, watched

ROOT = Path(__file__).parents[1]
PACKAGES = ("emocolor", "engines", "stream", "training")

OWN_WAY = {
    "openvino": "from engines.runners.openvino import openvino_key; openvino_key('net', '', 'f32')",
    "mediapipe": """
import numpy as np
from engines.mediapipe.face_detector import MediaPipeFaceDetector
from engines.mediapipe.person_segmenter import MediaPipePersonSegmenter

detector, segmenter = MediaPipeFaceDetector(), MediaPipePersonSegmenter()
detector.detect(np.zeros((64, 64), np.uint8), [], 0)
segmenter.segment(np.zeros((64, 64, 3), np.uint8))
detector.close()
segmenter.close()
""",
}
"""Libraries that would report their use if they were imported as they are, and how we use them."""

MATPLOTLIB_KEEPS = (".config", ".config/matplotlib", ".cache", ".cache/matplotlib")
"""Its settings and its list of fonts; the reports of trainings are drawn by it."""

COMMAND = "import sys; from stream.cli import main; main(sys.argv[1:])"


def imported_libraries() -> list[str]:
    """Every library that our code imports."""
    found = set()
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module)
    return sorted({name.split(".")[0] for name in found} - {*sys.stdlib_module_names, *PACKAGES})


def assert_alone(report, may_write=()):
    assert report.returncode == 0, report.output
    assert not report.calls, report.calls
    assert not report.packets, f"{report.packets} packets of native code"
    assert set(report.written) <= set(may_write), report.written


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))",
        "import socket; socket.getaddrinfo('name.invalid', 80)",
    ],
)
def test_the_watch_sees_python_reach_out(code, tmp_path):
    report = watched(f"try:\n    {code}\nexcept OSError:\n    pass", folder=tmp_path)
    assert len(report.calls) == 1, report
    assert "<watched>:2" in report.calls[0]


@pytest.mark.skipif(not can_count_packets(), reason="this machine gives no network namespace")
def test_the_watch_sees_native_code_reach_out(tmp_path):
    code = "import ctypes; ctypes.CDLL(None).getaddrinfo(b'name.invalid', None, None, ctypes.byref(ctypes.c_void_p()))"
    report = watched(code, folder=tmp_path)
    assert not report.calls
    assert report.packets


def test_the_watch_sees_what_is_written_at_home(tmp_path):
    code = "from pathlib import Path; (Path.home() / 'identifier').touch()"
    assert watched(code, folder=tmp_path).written == ["identifier"]


def test_no_library_reaches_out_when_it_is_imported(tmp_path):
    there = [name for name in imported_libraries() if name not in OWN_WAY and importlib.util.find_spec(name)]
    assert {"aiortc", "av", "cv2", "numpy"} <= set(there)
    assert_alone(watched(f"import {', '.join(there)}", folder=tmp_path), MATPLOTLIB_KEEPS)


@pytest.mark.parametrize("library", OWN_WAY)
def test_no_library_reaches_out_when_we_use_it(library, tmp_path):
    assert library in imported_libraries()
    assert_alone(watched(OWN_WAY[library], folder=tmp_path))


@pytest.mark.parametrize("arguments", [["--help"], ["engines", "list"], ["doctor"]], ids=" ".join)
def test_no_command_reaches_out(arguments, tmp_path):
    assert_alone(watched(COMMAND, *arguments, folder=tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [["--effect", "tint,style:.5", "--region", "person", "--timeline", "out.csv"], ["--effect", "colorize"]],
    ids=["faces and people", "gray film"],
)
def test_no_job_reaches_out(arguments, tmp_path, demo_clip):
    paths = [str(tmp_path / word) if word.endswith(".csv") else word for word in arguments]
    output = str(tmp_path / "out.mp4")
    assert_alone(watched(COMMAND, str(demo_clip), "-o", output, "--to", "0.2", *paths, folder=tmp_path))
