"""The colorizers' training script on a handful of made-up pictures."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError, SourceError  # noqa: E402
from training.colorizer.recipe import ColorizerRecipe, Film  # noqa: E402
from training.colorizer.train import batches, train  # noqa: E402
from training.data.film_look import gray_of  # noqa: E402
from training.data.photos import read_photos  # noqa: E402
from training.toml_recipe import read_recipe  # noqa: E402

TINY = ColorizerRecipe(net="s2", width=0.05, loss="classes", grid=20, crop=32, batch=4, epochs=2, bf16=False)
CONFIGS = sorted(Path("configs/training").glob("colorizer_*.toml"))


def weights_of(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)["net"]


def test_leaves_a_run_that_can_be_believed(blobs, tmp_path):
    train(TINY, [blobs], [blobs], tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["images"] == {"train": 8, "gray_dropped": 0, "held_out": 8}
    assert config["data"]["train"] == config["data"]["validation"] == read_photos([blobs]).sha256
    rows = (tmp_path / "run" / "epochs.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2"]
    final = json.loads((tmp_path / "run" / "final.json").read_text())
    assert list(final["by_temperature"]) == ["1", "0.7", "0.45", "0.38", "0.2"]
    assert final["by_temperature"]["1"]["ab_error"] > 0
    for picture in ("curves.png", "triptychs.png", "features.png"):
        assert (tmp_path / "run" / picture).read_bytes().startswith(b"\x89PNG")


def test_a_resumed_run_equals_an_unbroken_one(blobs, tmp_path, monkeypatch):
    recipe = replace(TINY, film=Film(part=0.5), ema=0.9)
    train(recipe, [blobs], [blobs], tmp_path / "whole")
    import training.colorizer as script

    def save_and_die(folder, state):
        original(folder, state)
        raise KeyboardInterrupt

    original = script.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(script, "save_checkpoint", save_and_die)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, [blobs], [blobs], tmp_path / "broken")
    train(recipe, [blobs], [blobs], tmp_path / "broken", resume=True)
    whole, broken = weights_of(tmp_path / "whole"), weights_of(tmp_path / "broken")
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which torch looks at itself while it traces
def test_a_compiled_run_learns_the_same(blobs, vgg_file, tmp_path, monkeypatch):
    """Traced for real, then run by torch's own kernels: making others takes a minute."""
    recipe = replace(TINY, net="s1", loss="rgb_perceptual")
    train(recipe, [blobs], [blobs], tmp_path / "plain", vgg=vgg_file)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    train(replace(recipe, compiled=True), [blobs], [blobs], tmp_path / "compiled", vgg=vgg_file)
    plain, compiled = weights_of(tmp_path / "plain"), weights_of(tmp_path / "compiled")
    assert plain.keys() == compiled.keys()
    assert all(torch.allclose(plain[name], value, atol=1e-4) for name, value in compiled.items())


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem.removeprefix("colorizer_") for path in CONFIGS])
def test_every_recipe_trains(path, blobs, tmp_path):
    recipe = replace(read_recipe(ColorizerRecipe, path), crop=32, epochs=1, batch=4)
    if recipe.loss == "rgb_perceptual":
        with pytest.raises(ConfigurationError, match="pass --vgg"):
            train(recipe, [blobs], [blobs], tmp_path / "run")
        return
    train(recipe, [blobs], [blobs], tmp_path / "run")
    final = json.loads((tmp_path / "run" / "final.json").read_text())["by_temperature"]
    assert all(np.isfinite(value) for figures in final.values() for value in figures.values())


def test_learning_lowers_the_loss(blobs, tmp_path):
    train(replace(TINY, epochs=12, loss="ab_l2", learning_rate=3e-3), [blobs], [blobs], tmp_path / "run")
    losses = [row.split(",")[1] for row in (tmp_path / "run" / "epochs.csv").read_text().splitlines()[1:]]
    assert float(losses[-1]) < 0.8 * float(losses[0])


def test_batches_show_every_photo_once_and_are_repeatable(blobs):
    recipe = replace(TINY, film=Film(part=1.0))
    one, two, other = (list(batches(read_photos([blobs]), recipe, epoch)) for epoch in (1, 1, 2))
    assert [len(rgb) for rgb, _ in one] == [4, 4]
    assert all(torch.equal(a, b) and torch.equal(c, d) for (a, c), (b, d) in zip(one, two, strict=True))
    assert not torch.equal(one[0][0], other[0][0])
    for rgb, gray in one:
        assert rgb.shape[1:] == (3, 32, 32)
        assert gray.shape[1:] == (1, 32, 32)
        assert 0 <= gray.min() <= gray.max() <= 1


def test_squares_grow_evenly_from_the_first_epoch_to_the_last():
    growing = replace(TINY, first_crop=128, crop=192, epochs=9)
    sides = [growing.crop_at(epoch) for epoch in range(1, 10)]
    assert sides == [128, 128, 128, 160, 160, 160, 192, 192, 192]
    assert {TINY.crop_at(1), TINY.crop_at(2)} == {TINY.crop}


def test_only_filmed_pictures_lose_their_luma(blobs):
    """A recipe with the film look leaves the other pictures as clean luma."""
    recipe = replace(TINY, batch=12, film=Film(part=0.5))
    ((rgb, gray),) = list(batches(read_photos([blobs]), recipe, epoch=1))[:1]
    kept = [bool(torch.equal(one, whole)) for one, whole in zip(gray, gray_of(rgb), strict=True)]
    assert 0 < sum(kept) < len(kept)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "rgb"}, "s2 learns by ab_l2, ab_huber, classes, rebalanced, not rgb"),
        ({"crop": 100}, "multiple of 32"),
        ({"first_crop": 16}, "first_crop must be a multiple of 32"),
        ({"accumulate": 0}, "accumulate"),
        ({"film": Film(part=1.5)}, "film.part"),
        ({"net": "s5"}, "net must be one of"),
    ],
)
def test_recipes_are_checked(changes, words):
    with pytest.raises(ConfigurationError, match=words):
        replace(TINY, **changes)


def test_a_loss_that_is_no_number_stops_the_run(blobs, tmp_path):
    with pytest.raises(ConfigurationError, match="keeps the checkpoint of epoch"):
        train(replace(TINY, learning_rate=1e30, epochs=5), [blobs], [blobs], tmp_path / "run")


def test_unusable_photos_are_named(tmp_path):
    with pytest.raises(SourceError, match="No such file or folder"):
        train(TINY, [tmp_path / "none.tar"], [tmp_path], tmp_path / "run")
    assert not (tmp_path / "run").exists()
