"""What the README shows is what happens."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

from tests.benchmarks import colorize, live, style
from tests.benchmarks.report import readme_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.split("#")[0].strip()
    for line in README.splitlines()
    if re.match(r"    emocolor-stream (remaster )?(input|film)", line)
]
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(demo_clip, tmp_path):
    for name in ("input.mp4", "film.mp4", "film.mkv"):
        shutil.copy(demo_clip, tmp_path / name)
    shutil.copy(ROOT / "docs" / "strip.png", tmp_path / "photo.jpg")
    return tmp_path


def test_commands_were_found():
    assert len(COMMANDS) >= 7
    assert len(PYTHON) == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command, folder):
    words = shlex.split(command)[1:]
    words = ["0:00" if w == "1:00" else "0:01" if w == "1:30" else w for w in words]
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", *words, *([] if "--dry-run" in words else ["--dry-run"])],
        cwd=folder, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_library_example_runs(folder):
    (folder / "example.py").write_text(PYTHON[0])
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=folder, capture_output=True, text=True, timeout=60, check=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == 50
    assert (folder / "out.mp4").exists()


def test_the_effect_example_runs(folder):
    (folder / "own_effect.py").write_text(PYTHON[1])
    done = subprocess.run(
        [sys.executable, "own_effect.py"], cwd=folder, capture_output=True, text=True, timeout=60, check=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout == "50 frames\n"

    def brightness(path):
        with av.open(str(path)) as container:
            return [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]

    before, after = brightness(folder / "input.mp4"), brightness(folder / "out.mp4")
    ratios = [late / early for early, late in zip(before, after, strict=True)]
    assert min(ratios) < 0.7, "dark where nobody smiles"
    assert max(ratios) > 0.95, "and not where somebody does"


def test_the_effect_example_works_by_name(folder):
    (folder / "my_module.py").write_text(PYTHON[1])
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", "input.mp4", "-o", "o.mp4", "--effect", "my_module:Dim,tint"],
        cwd=folder, capture_output=True, text=True, timeout=60, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_exit_codes_are_those_of_the_errors():
    from emocolor import errors

    table = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", README, re.MULTILINE) for code in row.split(",")}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.EmocolorError)}
    assert codes <= table


def test_numbers_are_those_that_were_measured():
    found = json.loads((ROOT / "tests" / "benchmarks" / "results.json").read_text())
    assert readme_table(found) in README
    found = json.loads((ROOT / "tests" / "benchmarks" / "colorize.json").read_text())
    assert colorize.readme_table(found) in README


def test_the_page_says_what_styles_were_measured_to_cost():
    found = json.loads((ROOT / "tests" / "benchmarks" / "style.json").read_text())
    assert style.readme_table(found) in README


def test_the_page_says_what_live_sessions_were_measured_to_cost():
    found = json.loads((ROOT / "tests" / "benchmarks" / "live.json").read_text())
    assert live.readme_table(found) in README


@pytest.mark.parametrize("image", re.findall(r"!\[.*?\]\((.*?)\)", README))
def test_images_are_there(image):
    assert (ROOT / image).stat().st_size < 500_000
