"""The corruptions of the robustness table, and the script on a few made-up faces."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from engines.spec import EMOTION_FOLDER
from stream.demo.portrait import read_portrait
from training.emotion import robustness
from training.emotion.robustness import CORRUPTIONS, EYES, MOUTH, corrupted, main
from training.evaluate import EmotionEvalConfig, evaluate_emotion


@pytest.fixture(scope="module")
def face():
    """The portrait's face in gray, (48, 48)."""
    portrait = cv2.cvtColor(read_portrait(), cv2.COLOR_RGB2GRAY)
    return cv2.resize(portrait[70:190, 165:285], (48, 48), interpolation=cv2.INTER_AREA)


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_makes_another_image_of_the_same_form(name, face, random):
    before = face.copy()
    after = CORRUPTIONS[name](face, random)
    assert (after.shape, after.dtype) == (face.shape, np.uint8)
    assert np.array_equal(face, before)
    assert np.array_equal(after, face) == (name == "clean")


@pytest.mark.parametrize(
    ("corruption", "options"),
    [("noisy", {"sigma": 0.0}), ("shrunk", {"side": 48}), ("rolled", {"degrees": 0.0}), ("with_gamma", {"gamma": 1.0})],
)
def test_the_mildest_degree_changes_nothing(corruption, options, face, random):
    assert np.array_equal(getattr(robustness, corruption)(face, random, **options), face)


@pytest.mark.parametrize(
    ("mild", "strong"),
    [("blur, sigma 1 px", "blur, sigma 2 px"), ("noise, sigma 10", "noise, sigma 25")],
)
def test_twice_the_degree_does_more_harm(mild, strong, face):
    harm = [
        np.abs(corrupted(face[None], CORRUPTIONS[name], 0)[0] - face.astype(float)).mean() for name in (mild, strong)
    ]
    assert 0 < harm[0] < harm[1]


def test_noise_is_as_strong_as_it_says_and_comes_from_the_seed():
    flat = np.full((20, 48, 48), 128, np.uint8)
    noise = corrupted(flat, CORRUPTIONS["noise, sigma 25"], 0)
    assert noise.std() == pytest.approx(25, rel=0.02)
    assert noise.mean() == pytest.approx(128, abs=0.5)
    assert np.array_equal(noise, corrupted(flat, CORRUPTIONS["noise, sigma 25"], 0))
    assert not np.array_equal(noise, corrupted(flat, CORRUPTIONS["noise, sigma 25"], 1))
    assert not np.array_equal(noise[0], noise[1])


def test_blur_spreads_a_point_by_its_sigma(random):
    point = np.zeros((48, 48), np.uint8)
    point[24, 24] = 255
    spread = CORRUPTIONS["blur, sigma 1 px"](point, random).astype(float)
    across = np.arange(48) - 24
    assert (spread.sum(0) * across**2).sum() / spread.sum() == pytest.approx(1, rel=0.2)  # few gray levels


def test_positive_roll_turns_counter_clockwise_and_negative_back(face, random):
    right = np.zeros((48, 48), np.uint8)
    right[22:26, 38:42] = 255
    row, column = np.argwhere(CORRUPTIONS["roll +25 degrees"](right, random) > 127).mean(0)
    assert (row, column) == pytest.approx(
        (23.5 - 16 * np.sin(np.radians(25)), 23.5 + 16 * np.cos(np.radians(25))), abs=0.5
    )
    back = CORRUPTIONS["roll -25 degrees"](CORRUPTIONS["roll +25 degrees"](face, random), random)
    middle = np.s_[16:32, 16:32]
    assert np.abs(back[middle].astype(float) - face[middle]).mean() < 8


def test_gamma_brightens_below_one_and_keeps_the_ends(random):
    ramp = np.tile(np.linspace(0, 255, 48).astype(np.uint8), (48, 1))
    bright, dark = CORRUPTIONS["gamma 0.5"](ramp, random), CORRUPTIONS["gamma 2"](ramp, random)
    assert (bright[:, 1:-1] > ramp[:, 1:-1]).all()
    assert (dark[:, 1:-1] < ramp[:, 1:-1]).all()
    assert bright[0, 0] == dark[0, 0] == 0
    assert bright[0, -1] == dark[0, -1] == 255


@pytest.mark.parametrize(("name", "where"), [("eyes covered", EYES), ("mouth covered", MOUTH)])
@pytest.mark.parametrize("times", [1, 2])
def test_a_bar_covers_its_rectangle_alone_at_any_size(name, where, times, random):
    white = np.full((48 * times, 48 * times), 255, np.uint8)
    rows, columns = np.nonzero(CORRUPTIONS[name](white, random) != 255)
    box = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    assert box == tuple(times * edge for edge in where)
    assert len(rows) == (box[1] - box[0]) * (box[3] - box[2])


@pytest.fixture(scope="module")
def data(face, tmp_path_factory):
    """Eight RGB images of 64x60, the portrait's face shifted a little, with alternating labels."""
    images = [np.repeat(cv2.resize(np.roll(face, n, 1), (60, 64))[..., None], 3, axis=2) for n in range(8)]
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    np.savez(path, images=np.array(images), labels=np.array([3, 6] * 4), usage=np.ones(8, np.int8))
    return path


def test_the_command_measures_every_net_under_every_corruption(data, tmp_path, capsys):
    out, by_path = tmp_path / "robustness.json", str(EMOTION_FOLDER / "s0.onnx")
    main(["--weights", "s0", "--weights", by_path, "--data", str(data), "--mc", "4", "--out", str(out)])
    found = json.loads(out.read_text())
    assert (found["images"], found["passes"]) == (8, 4)
    assert found["nets"]["s0"] == found["nets"][by_path]
    rows = found["nets"]["s0"]["corruptions"]
    assert list(rows) == list(CORRUPTIONS)
    assert (
        rows["clean"]["accuracy"] == evaluate_emotion(EmotionEvalConfig(weights="s0", data=data, passes=4))["accuracy"]
    )
    assert len({row["top_probability"] for row in rows.values()}) > 8  # every corruption was really applied
    assert all(row["mutual_information"] > 0 for row in rows.values())
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [line.split("|")[1].strip() for line in table[2:]] == list(CORRUPTIONS)
    assert {line.count("|") for line in table} == {4}


def test_one_pass_has_no_mutual_information(data, tmp_path):
    out = tmp_path / "robustness.json"
    main(["--weights", "s0", "--data", str(data), "--mc", "0", "--out", str(out)])
    assert {row["mutual_information"] for row in json.loads(out.read_text())["nets"]["s0"]["corruptions"].values()} == {
        0
    }


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--data", "none.npz"], 4),
        (["--weights", "s1"], 2),
        (["--seed", "-1"], 2),
        (["--mc", "-1"], 2),
        (["--split", "private"], 4),
        (["--out", "nowhere/robustness.json"], 5),
    ],
)
def test_bad_input_ends_in_one_line(arguments, code, data, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["--weights", "s0", "--data", str(data), *arguments])
    message = capsys.readouterr().err
    assert end.value.code == code
    assert message.startswith("error: ")  # before anything is measured
    assert message.count("\n") == 1


def test_torch_is_not_loaded():
    script = "import sys; import training.emotion.robustness; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=60)
