"""Recipes of colorizers: what they refuse, and the nets they make."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError
from training.colorizer.recipe import ColorizerRecipe, FilmSettings, make_colorizer
from training.toml_recipe import read_recipe

CLASSES = ColorizerRecipe(net="s2", width=0.05, loss="classes", grid=20, crop=32, batch=4, epochs=2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "rgb"}, "s2 takes the loss ab_l2, ab_huber, classes, rebalanced, not rgb"),
        ({"crop": 100}, "multiple of 32"),
        ({"first_crop": 16}, "first_crop must be a multiple of 32"),
        ({"accumulate": 0}, "accumulate"),
        ({"film": FilmSettings(part=1.5)}, "film.part"),
        ({"net": "s5"}, "net must be one of"),
    ],
)
def test_recipes_are_checked(changes, words):
    with pytest.raises(ConfigurationError, match=words):
        replace(CLASSES, **changes)


def test_crops_grow_evenly_from_the_first_epoch_to_the_last():
    growing = replace(CLASSES, first_crop=128, crop=192, epochs=9)
    sides = [growing.crop_at(epoch) for epoch in range(1, 10)]
    assert sides == [128, 128, 128, 160, 160, 160, 192, 192, 192]
    assert {CLASSES.crop_at(1), CLASSES.crop_at(2)} == {CLASSES.crop}


@pytest.mark.parametrize("path", sorted(Path("configs/training").glob("colorizer_*.toml")), ids=lambda path: path.stem)
def test_the_net_of_every_recipe_outputs_what_its_loss_takes(path):
    recipe = read_recipe(ColorizerRecipe, path)
    net = make_colorizer(replace(recipe, width=0.05))
    assert (net.bins is not None) == (recipe.loss in ("classes", "rebalanced"))
    if net.bins is not None:
        assert net.bins.grid == recipe.grid
