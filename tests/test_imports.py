"""What is heavy is not loaded before it is needed, and what is optional is not needed at all."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "openvino", "mediapipe", "aiortc", "matplotlib")


def run(script: str) -> None:
    """Run ``script`` in a Python of its own, where nothing is loaded yet."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", ["emocolor", "engines", "stream"])
def test_importing_a_package_loads_nothing_heavy(package):
    run(f"""
import sys
import {package}
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
""")


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["live", "--help"], ["serve", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    run(f"""
import sys
from stream.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert end.code == 0
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
""")


def test_the_public_names_of_stream_are_there():
    run("""
import stream
for name in stream.__all__:
    assert getattr(stream, name).__module__.startswith("stream."), name
try:
    stream.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError
""")


def test_a_job_runs_without_torch(tmp_path):
    """The whole file job, in a process where importing torch fails."""
    run(f"""
import sys
sys.modules["torch"] = None
from pathlib import Path
from stream.cli import main
from stream.demo.clip import make_demo_clip
clip = Path({str(tmp_path)!r}) / "clip.mp4"
make_demo_clip(clip, seconds=0.4, size_wh=(320, 180))
main([str(clip), "-o", str(clip.with_name("out.mp4"))])
""")
    assert (tmp_path / "out.mp4").stat().st_size > 0


def test_the_public_names_of_engines_are_there():
    import engines

    for name in engines.__all__:
        assert getattr(engines, name).__module__.startswith("engines."), name
    with pytest.raises(AttributeError, match="nothing"):
        _ = engines.nothing


def test_a_command_waits_for_no_other():
    run("""
import contextlib, io, sys
from stream.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(["presets", "list"])
others = {name for name in ("engines", "jobs", "live", "serve") if f"stream.cli.{name}" in sys.modules}
assert "stream.cli.presets" in sys.modules and not others, others
""")
