"""The evaluation of colorizers: what the command prints, and what the baselines are worth."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from training.colorizer.evaluate import ColorizerEvalConfig, evaluate_colorizer, measure_recolorer
from training.colorizer.recolorers import baseline_recolorer
from training.data.photos import read_photos
from training.evaluate import main

KEYS = {
    "psnr", "ssim", "ab_error", "r2", "colorfulness", "colorfulness_truth", "auc", "auc_rebalanced", "vgg_distance",
    "ms_per_image", "n", "weights", "baseline", "vividness", "size",
}  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    """Three smooth colour images of several sizes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, (height, width) in enumerate([(90, 120), (64, 64), (200, 70)]):
        coarse = np.random.default_rng(seed).integers(40, 220, (5, 5, 3), np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{seed}.png"), image)
    return folder


def test_the_command_prints_one_json_object(photos, run_main):
    code, printed, _ = run_main(main, "colorizer", "--images", photos, "--size", "64", "--baseline", "gray")
    assert code == 0
    assert len(printed.splitlines()) == 1
    found = json.loads(printed)
    assert {name for name in found if not name.startswith("recall")} == KEYS
    assert (found["n"], found["size"], found["baseline"], found["weights"]) == (3, 64, "gray", None)
    assert found["colorfulness"] == 0 < found["colorfulness_truth"]
    assert found["vgg_distance"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--images", "none", "--baseline", "gray"], 4, "No such file or folder: none"),
        (["--images", ".", "--baseline", "grey"], 2, "Unknown baseline 'grey'; did you mean 'gray'?"),
        (["--images", ".", "--baseline", "gray", "--weights", "ours"], 2, "A baseline takes neither"),
        (["--images", ".", "--baseline", "gray", "--vividness", "1"], 2, "A baseline takes neither"),
        (["--images", ".", "--vividness", "2"], 2, "vividness must lie between 0 and 1, got 2"),
        (["--images", ".", "--baseline", "gray", "--size", "8"], 2, "size must be at least 32, got 8"),
    ],
)
def test_bad_input_ends_in_one_line(arguments, code, words, run_main):
    ended, _, message = run_main(main, "colorizer", *arguments)
    assert ended == code
    assert message.startswith(f"error: {words}")
    assert len(message.splitlines()) == 1


def test_a_damaged_photo_ends_in_one_line_that_names_it(photos, run_main):
    (photos / "bad.jpg").write_bytes(b"no image")
    code, _, message = run_main(main, "colorizer", "--images", photos, "--baseline", "gray")
    assert code == 4
    assert message == f"error: The photo bad.jpg of {photos} cannot be decoded.\n"


def measured(photos, name, **options):
    return evaluate_colorizer(ColorizerEvalConfig(images=(photos,), size=64, baseline=name, **options))


def test_metrics_tell_the_baselines_apart(photos):
    gray, turbo = (measured(photos, name) for name in ("gray", "turbo"))
    assert gray["psnr"] > turbo["psnr"] + 5
    assert gray["ab_error"] < turbo["ab_error"]
    assert turbo["colorfulness"] > 100
    assert gray["ms_per_image"] >= 0


def test_a_recolorer_is_measured_by_the_same_metrics(photos):
    found = measure_recolorer(baseline_recolorer("gray"), read_photos([photos]), 64)
    whole = measured(photos, "gray")
    assert found == {key: whole[key] for key in found}


def test_features_are_compared_where_vgg_is_given(photos, vgg_file):
    gray, turbo = (measured(photos, name, vgg=vgg_file) for name in ("gray", "turbo"))
    assert 0 < gray["vgg_distance"] < turbo["vgg_distance"]


def test_without_torch_everything_but_vgg_works(photos):
    script = f"""
import sys
sys.modules["torch"] = None
from training.evaluate import main
main(["colorizer", "--images", {str(photos)!r}, "--baseline", "mean"])
main(["colorizer", "--images", {str(photos)!r}, "--baseline", "mean", "--vgg", "vgg.npz"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout)["n"] == 3
    assert done.returncode == 6
    assert done.stderr == ("error: The feature distance of VGG16 needs torch: pip install 'emocolor-stream[train]'.\n")
