"""The wheel as a user gets it: in a clean environment, away from the checkout."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (path,) = folder.glob("*.whl")
    return path


def test_holds_the_packages_their_data_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    info = next(name.split("/")[0] for name in names if ".dist-info/" in name)
    assert {name.split("/")[0] for name in names} == {"emocolor", "engines", "stream", info}
    for needed in (
        "engines/weights/emotion/s0.onnx",
        "engines/weights/emotion/s0.json",
        "engines/weights/colorizer/film.onnx",
        "engines/weights/colorizer/film.json",
        "engines/weights/colorizer/NOTICE",
        "engines/weights/mediapipe/NOTICE",
        "engines/weights/mediapipe/blaze_face_short_range.tflite",
        "engines/weights/mediapipe/selfie_segmenter.tflite",
        "stream/data/palettes/s0.toml",
        "stream/data/presets/paper.toml",
        "stream/demo/assets/portrait.jpg",
        "stream/live/page/index.html",
        "stream/live/page/app.js",
        "stream/live/page/style.css",
        "emocolor/py.typed",
        f"{info}/licenses/LICENSE",
    ):
        assert needed in names
    assert wheel.stat().st_size < 30_000_000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_runs_in_a_clean_environment_without_torch(wheel, demo_clip, tmp_path):
    place = tmp_path / "environment"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt", wheel],
        check=True, timeout=800, cwd=tmp_path,
    )  # fmt: skip
    out = tmp_path / "out.mp4"
    done = subprocess.run(
        [place / "bin" / "emocolor-stream", demo_clip, "-o", out, "--palette", "muted"],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert out.stat().st_size > 0
    absent = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    assert absent.returncode != 0
