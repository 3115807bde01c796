"""The evaluation of colorizers: what the command prints, and what the baselines are worth."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from emocolor.chroma.conversion import ab_of, luma_of
from emocolor.errors import ConfigurationError
from training.colorizer.evaluate import ColorizerEvalConfig, evaluate_colorizer
from training.colorizer.recolorers import MEAN_AB, baseline, shipped

KEYS = {
    "psnr", "ssim", "ab_error", "r2", "colorfulness", "colorfulness_truth", "auc", "auc_rebalanced", "vgg_distance",
    "ms_per_image", "n", "weights", "baseline", "vividness", "size",
}  # fmt: skip
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.fixture
def photos(tmp_path):
    """Three smooth colour pictures of several sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, (height, width) in enumerate([(90, 120), (64, 64), (200, 70)]):
        coarse = np.random.default_rng(seed).integers(40, 220, (5, 5, 3), np.uint8)
        picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{seed}.png"), picture)
    return folder


def evaluate(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "training.evaluate", "colorizer", *arguments], capture_output=True, text=True, timeout=60
    )


def test_the_command_prints_one_json_object(photos):
    done = evaluate("--images", photos, "--size", "64", "--baseline", "gray")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1
    found = json.loads(done.stdout)
    assert found.keys() == KEYS
    assert (found["n"], found["size"], found["baseline"], found["weights"]) == (3, 64, "gray", None)
    assert found["colorfulness"] == 0 < found["colorfulness_truth"]
    assert found["vgg_distance"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--images", "none", "--baseline", "gray"], 4, "No such file or folder: none"),
        (["--images", ".", "--baseline", "grey"], 2, "Unknown baseline 'grey'; did you mean 'gray'?"),
        (["--images", ".", "--baseline", "gray", "--weights", "ours"], 2, "--baseline goes without --weights"),
        (["--images", ".", "--baseline", "gray", "--vividness", "1"], 2, "--baseline goes without --weights"),
        (["--images", ".", "--vividness", "2"], 2, "--vividness must lie between 0 and 1, got 2"),
        (["--images", ".", "--baseline", "gray", "--size", "8"], 2, "--size must be at least 32, got 8"),
    ],
)
def test_bad_input_ends_in_one_line(arguments, code, words):
    done = evaluate(*arguments)
    assert done.returncode == code
    assert done.stderr.startswith(f"error: {words}")
    assert len(done.stderr.splitlines()) == 1


def test_a_damaged_picture_ends_in_one_line_that_names_it(photos):
    (photos / "bad.jpg").write_bytes(b"no picture")
    done = evaluate("--images", photos, "--baseline", "gray")
    assert done.returncode == 4
    assert done.stderr == f"error: The picture bad.jpg of {photos} cannot be decoded.\n"


def question(photos, name, **options):
    return ColorizerEvalConfig(images=(photos,), size=64, baseline=name, **options)


def test_figures_tell_the_baselines_apart(photos):
    gray, turbo = (evaluate_colorizer(question(photos, name)) for name in ("gray", "turbo"))
    assert gray["psnr"] > turbo["psnr"] + 5
    assert gray["ab_error"] < turbo["ab_error"]
    assert turbo["colorfulness"] > 100
    assert gray["ms_per_image"] >= 0


def test_features_are_compared_where_vgg_is_given(photos, vgg_file):
    gray, turbo = (evaluate_colorizer(question(photos, name, vgg=vgg_file)) for name in ("gray", "turbo"))
    assert 0 < gray["vgg_distance"] < turbo["vgg_distance"]


def test_without_torch_everything_but_vgg_works(photos):
    script = f"""
import sys
sys.modules["torch"] = None
from training.evaluate import main
sys.argv = ["evaluate", "colorizer", "--images", {str(photos)!r}, "--baseline", "mean", *sys.argv[1:]]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["n"] == 3
    done = subprocess.run(
        [sys.executable, "-c", script, "--vgg", "vgg.npz"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 6
    assert done.stderr == "error: --vgg needs torch: pip install 'emocolor-stream[train]'.\n"


def test_the_baseline_gray_repeats_the_level():
    assert np.array_equal(baseline("gray")(RAMP), np.stack([RAMP] * 3, axis=2))


def test_the_baseline_mean_has_one_ab_wherever_the_gamut_allows():
    assert 0 < MEAN_AB[0] < MEAN_AB[1]  # photos are brownish in the mean
    assert ab_of(baseline("mean")(RAMP))[4:12].mean((0, 1)) == pytest.approx(MEAN_AB, abs=0.3)


@pytest.mark.parametrize("name", ["turbo", "jet", "hot", "twilight_shifted"])
def test_baselines_named_as_opencv_s_maps_are_these_maps(name):
    wanted = cv2.applyColorMap(RAMP, getattr(cv2, f"COLORMAP_{name.upper()}"))[..., ::-1]
    assert np.array_equal(baseline(name)(RAMP), wanted)


def test_gradients_are_baselines_too():
    assert baseline("#000-#ff0000")(RAMP)[15, 15].tolist() == [255, 0, 0]
    assert len(np.unique(baseline("intensity")(RAMP).reshape(-1, 3), axis=0)) == 5


def test_the_net_that_ships_keeps_luma_and_gives_colour():
    y, x = np.mgrid[:96, :128]
    gray = np.uint8(60 + 0.6 * y + 40 * ((x // 16) % 2))
    picture = shipped(None, None)(gray)
    assert picture.shape == (96, 128, 3)
    assert np.abs(luma_of(picture).astype(int) - gray).max() <= 1
    assert np.ptp(picture, axis=2).max() > 5
    assert np.array_equal(picture, shipped("film", None)(gray))


def test_unknown_nets_are_named():
    with pytest.raises(ConfigurationError, match="Unknown net 'flim'; did you mean 'film'"):
        shipped("flim", None)
