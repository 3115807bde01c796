"""Imports point one way, and what is heavy is not loaded before it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "emocolor": set(),
    "engines": {"emocolor"},
    "stream": {"emocolor", "engines"},
    "training": {"emocolor", "engines"},
}
OURS = set(MAY_IMPORT)


def imported_packages(source: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_imports_point_one_way(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        wrong = (imported_packages(path.read_text()) & OURS) - MAY_IMPORT[package] - {package}
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_the_core_stays_pure():
    allowed = {"numpy", "cv2"} | set(sys.stdlib_module_names)
    unwanted = {"threading", "asyncio", "pathlib", "subprocess", "time", "socket"}
    for path in (ROOT / "emocolor").rglob("*.py"):
        found = imported_packages(path.read_text())
        assert found - {"emocolor"} <= allowed, path
        assert not found & unwanted, path


def test_help_loads_nothing_heavy():
    heavy = ("torch", "openvino", "mediapipe", "aiortc", "matplotlib")
    script = f"""
import sys
from stream.cli import main
try:
    main(["run", "--help"])
except SystemExit as end:
    assert end.code == 0
loaded = [name for name in {heavy!r} if name in sys.modules]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)


def test_a_job_runs_without_torch(tmp_path):
    """The whole file job, in a process where importing torch fails."""
    script = f"""
import sys
sys.modules["torch"] = None
from pathlib import Path
from stream.demo_clip import make_demo_clip
from stream.cli import main
clip = Path({str(tmp_path)!r}) / "clip.mp4"
make_demo_clip(clip, seconds=0.4, size_wh=(320, 180))
main([str(clip), "-o", str(clip.with_name("out.mp4"))])
"""
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=120)
    assert (tmp_path / "out.mp4").stat().st_size > 0
