"""Every script in examples/ runs as it stands, on a real clip."""

import csv
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import av
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}


def run_example(name, *arguments, folder):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_every_example_is_tested():
    text = Path(__file__).read_text()
    assert [path.name for path in EXAMPLES.glob("*.py") if f'"{path.name}"' not in text] == []


def test_a_film_is_recoloured(demo_clip, tmp_path):
    said = run_example("recolour_film.py", demo_clip, "out.mp4", folder=tmp_path)
    assert re.search(r"\d s  \w+ \(certainty 0\.\d\d\)", said)
    before, after = frames_of(demo_clip), frames_of(tmp_path / "out.mp4")
    assert len(before) == len(after) == 50
    assert np.abs(before[-1].astype(int) - after[-1]).mean() > 1


def test_an_effect_of_ones_own_darkens(demo_clip, tmp_path):
    assert run_example("own_effect.py", demo_clip, "out.mp4", folder=tmp_path) == "50 frames\n"
    before, after = frames_of(demo_clip)[0], frames_of(tmp_path / "out.mp4")[0]
    corner = np.s_[-40:, -40:]  # away from what the overlay draws
    assert after[corner].mean() < before[corner].mean()


def test_an_effect_of_ones_own_is_found_by_the_command(demo_clip, tmp_path):
    words = [demo_clip, "-o", "out.mp4", "--effect", "own_effect:Dim,overlay", "--to", "0.39"]
    subprocess.run(
        [sys.executable, "-m", "stream.cli", *words],
        cwd=tmp_path, timeout=120, check=True, env=ENVIRONMENT | {"PYTHONPATH": f"{ROOT}:{EXAMPLES}"},
    )  # fmt: skip
    assert len(frames_of(tmp_path / "out.mp4")) == 10


def test_emotions_are_summed_up(demo_clip, tmp_path):
    said = run_example("emotion_summary.py", demo_clip, "emotions.csv", folder=tmp_path)
    with (tmp_path / "emotions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(float(seconds) for seconds in re.findall(r"([\d.]+) s", said)) == pytest.approx(len(rows) / 8, abs=0.2)


def test_palettes_are_compared(demo_clip, tmp_path):
    run_example("compare_palettes.py", demo_clip, "out.mp4", "s0", "colorblind", folder=tmp_path)
    run_example("compare_palettes.py", demo_clip, "same.mp4", "s0", "s0", folder=tmp_path)
    split, same = (np.array(frames_of(tmp_path / name), np.int16) for name in ("out.mp4", "same.mp4"))
    left, right = (np.abs((split - same)[:, :, half].mean(axis=(1, 2))).max() for half in (np.s_[:200], np.s_[-200:]))
    assert right > 10 * left  # what the encoder changes cancels out over half a frame


def test_films_are_archived(demo_clip, tmp_path):
    said = run_example("archive_films.py", "finished", demo_clip, "none.mp4", folder=tmp_path).splitlines()
    assert said[0] == "demo.mp4: 50 frames in 1 pieces"
    assert re.fullmatch(r"demo.mp4: piece 0 took process 1 [\d.]+ s", said[1])
    assert said[2] == "demo.mp4: done"
    assert said[3].startswith("none.mp4: ")
    assert len(frames_of(tmp_path / "finished" / "demo.mp4")) == 50


def test_a_film_is_processed_live(demo_clip, tmp_path):
    run_example("live_file.py", demo_clip, "out.mkv", folder=tmp_path)
    assert len(frames_of(tmp_path / "out.mkv")) >= 10  # a busy machine drops some, and says so


def test_a_server_asks_for_its_token(tmp_path):
    server = subprocess.Popen(
        [sys.executable, EXAMPLES / "serve_with_token.py"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        address, token = re.fullmatch(r"Open (.*)/#token=(\S+)\n", server.stdout.readline()).groups()
        assert urllib.request.urlopen(f"{address}/healthz", timeout=30).status == 200
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{address}/api/sessions", timeout=30)
        asked = urllib.request.Request(f"{address}/api/sessions", headers={"Authorization": f"Bearer {token}"})
        assert urllib.request.urlopen(asked, timeout=30).status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert server.returncode == 143
