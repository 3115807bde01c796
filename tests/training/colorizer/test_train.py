"""The colorizers' training script on a handful of made-up images."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError, SourceError  # noqa: E402
from training.colorizer.recipe import ColorizerRecipe, FilmSettings  # noqa: E402
from training.colorizer.train import main, train  # noqa: E402
from training.data.photos import read_photos  # noqa: E402
from training.optimization import DivergedError  # noqa: E402
from training.run_folder import final_weights, read_epochs  # noqa: E402
from training.toml_recipe import read_recipe  # noqa: E402

TINY = ColorizerRecipe(net="s2", width=0.05, loss="classes", grid=20, crop=32, batch=4, epochs=2, bf16=False)
RECIPE_OF_CONTEXT = """
net = "context"
prior = "none"
loss = "rebalanced"
widths = [8, 8, 32]
dropout = 0.2
grid = 20
crop = 32
batch = 2
epochs = 2
ema = 0.5
bf16 = false
keep = "best"
[film]
part = 0.5
letterbox = 0.2
"""
CONFIGS = sorted(Path("configs/training").glob("colorizer_*.toml"))


def test_leaves_a_run_that_can_be_believed(blobs, two_blobs, tmp_path):
    run = tmp_path / "run"
    train(TINY, [blobs], [two_blobs], run)
    config = json.loads((run / "config.json").read_text())
    assert config["images"] == {"train": 8, "gray_dropped": 0, "held_out": 2}
    assert config["data"] == {"train": read_photos([blobs]).sha256, "validation": read_photos([two_blobs]).sha256}
    assert [row["epoch"] for row in read_epochs(run)] == ["1", "2"]
    final = json.loads((run / "final.json").read_text())
    assert list(final["by_temperature"]) == ["1", "0.7", "0.45", "0.38", "0.2"]
    assert final["by_temperature"]["1"]["ab_error"] > 0
    for plot in ("curves.png", "triptychs.png", "features.png"):
        assert (run / plot).read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_equals_an_unbroken_one(blobs, one_blob, tmp_path):
    """A run that was killed after its first epoch has no final.json, and settings of two epochs."""
    recipe = replace(TINY, film=FilmSettings(part=0.5), ema=0.9, schedule="constant")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(recipe, [blobs], [one_blob], whole)
    train(replace(recipe, epochs=1), [blobs], [one_blob], broken)
    (broken / "final.json").unlink()
    (broken / "config.json").write_text((whole / "config.json").read_text())
    train(recipe, [blobs], [one_blob], broken, resume=True)
    one, other = final_weights(whole), final_weights(broken)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [row["train_loss"] for row in read_epochs(whole)] == [row["train_loss"] for row in read_epochs(broken)]


@pytest.mark.slow
def test_a_run_that_is_killed_amid_an_epoch_resumes_as_an_unbroken_one(blobs, one_blob, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE_OF_CONTEXT)
    recipe, whole, broken = read_recipe(ColorizerRecipe, tmp_path / "recipe.toml"), tmp_path / "whole", tmp_path / "run"
    command = [sys.executable, "-m", "training.colorizer", "--config", str(tmp_path / "recipe.toml"), "--photos",
               str(blobs), "--val", str(one_blob), "--run", str(broken), "--resume", "--save-every", "0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("epoch 2, batch 1 of 4" in line for line in process.stdout)
        process.kill()
    assert not (broken / "final.json").exists()
    train(recipe, [blobs], [one_blob], broken, resume=True)
    train(recipe, [blobs], [one_blob], whole)
    rows, same = ([{k: v for k, v in row.items() if k != "seconds"} for row in read_epochs(r)] for r in (whole, broken))
    assert rows == same
    one, other = final_weights(whole), final_weights(broken)
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_the_best_epoch_is_kept(blobs, one_blob, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE_OF_CONTEXT)
    run = tmp_path / "run"
    train(read_recipe(ColorizerRecipe, tmp_path / "recipe.toml"), [blobs], [one_blob], run)
    best = torch.load(run / "best.pt", weights_only=True)
    frontiers = [float(row["frontier"]) for row in read_epochs(run)]
    assert best["epoch"] == 1 + frontiers.index(min(frontiers))
    assert all(torch.equal(best["net"][name], value) for name, value in final_weights(run).items())
    assert json.loads((run / "final.json").read_text())["epoch"] == best["epoch"]


@pytest.mark.slow
def test_a_run_may_be_finished_early(blobs, one_blob, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE_OF_CONTEXT)
    recipe, run = read_recipe(ColorizerRecipe, tmp_path / "recipe.toml"), tmp_path / "run"
    with pytest.raises(ConfigurationError, match="no epoch has been trained"):
        train(recipe, [blobs], [one_blob], run, finish_now=True)
    train(replace(recipe, epochs=1), [blobs], [one_blob], tmp_path / "short")
    for name in ("checkpoint.pt", "best.pt", "epochs.csv"):
        (run / name).write_bytes((tmp_path / "short" / name).read_bytes())
    train(recipe, [blobs], [one_blob], run, finish_now=True)
    assert json.loads((run / "final.json").read_text())["epoch"] == 1


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which torch looks at itself while it traces
def test_a_compiled_run_learns_the_same(two_blobs, one_blob, vgg_file, tmp_path, monkeypatch):
    """Traced for real, then run by torch's own kernels: making others takes a minute."""
    recipe = replace(TINY, net="s1", loss="rgb_perceptual", batch=2)
    train(recipe, [two_blobs], [one_blob], tmp_path / "plain", vgg=vgg_file)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    train(replace(recipe, compiled=True), [two_blobs], [one_blob], tmp_path / "compiled", vgg=vgg_file)
    plain, compiled = final_weights(tmp_path / "plain"), final_weights(tmp_path / "compiled")
    assert plain.keys() == compiled.keys()
    assert all(torch.allclose(plain[name], value, atol=1e-4) for name, value in compiled.items())


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem.removeprefix("colorizer_") for path in CONFIGS])
def test_every_recipe_trains(path, two_blobs, one_blob, tmp_path):
    recipe = replace(read_recipe(ColorizerRecipe, path), crop=32, first_crop=None, epochs=1, batch=2, bf16=False)
    if recipe.loss == "rgb_perceptual":
        with pytest.raises(ConfigurationError, match="pass --vgg"):
            train(recipe, [two_blobs], [one_blob], tmp_path / "run")
        return
    train(recipe, [two_blobs], [one_blob], tmp_path / "run")
    final = json.loads((tmp_path / "run" / "final.json").read_text())["by_temperature"]
    assert all(np.isfinite(value) for metrics in final.values() for value in metrics.values())


def test_training_in_bfloat16_works(two_blobs, one_blob, tmp_path):
    train(replace(TINY, epochs=1, batch=2, bf16=True), [two_blobs], [one_blob], tmp_path / "run")
    assert all(value.dtype != torch.bfloat16 for value in final_weights(tmp_path / "run").values())


def test_training_lowers_the_loss(blobs, one_blob, tmp_path):
    train(replace(TINY, epochs=8, loss="ab_l2", learning_rate=5e-3), [blobs], [one_blob], tmp_path / "run")
    losses = [float(row["train_loss"]) for row in read_epochs(tmp_path / "run")]
    assert losses[-1] < 0.8 * losses[0]


def test_a_loss_that_diverges_stops_the_run(two_blobs, one_blob, tmp_path):
    with pytest.raises(DivergedError, match="keeps the checkpoint of epoch"):
        train(replace(TINY, learning_rate=1e30, epochs=5, batch=2), [two_blobs], [one_blob], tmp_path / "run")


def test_unusable_photos_are_named(tmp_path):
    with pytest.raises(SourceError, match="No such file or folder"):
        train(TINY, [tmp_path / "none.tar"], [tmp_path], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_smoke_tries_the_whole_script_out(two_blobs, one_blob, tmp_path, run_main):
    (tmp_path / "recipe.toml").write_text('net = "s2"\nwidth = 0.05\ncrop = 32\nbf16 = false\n')
    given = ["--config", tmp_path / "recipe.toml", "--photos", two_blobs, "--val", one_blob, "--run", tmp_path / "run"]
    code, printed, _ = run_main(main, "--smoke", *given)
    assert code == 0
    assert printed.count("train_loss") == 2
    assert "0.38" in json.loads(printed.splitlines()[-1])
