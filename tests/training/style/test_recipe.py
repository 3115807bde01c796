"""Recipes of style nets."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError
from training.style.recipe import StyleRecipe
from training.toml_recipe import read_recipe


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"net": "s3"}, "has one style, not 7"),
        ({"style_layers": ("relu9_9",)}, "'relu9_9' is not a layer of VGG16"),
        ({"crop": 30}, "crop must be a multiple of 4"),
        ({"shift": 60}, "shift must lie between"),
        ({"partial_part": 1.5}, "partial_part must lie between 0 and 1"),
        ({"temporal_weight": -1.0}, "temporal_weight must not be negative"),
        ({"clip_part": 0.5}, "clip_part needs a temporal_weight"),
        ({"clip_part": 2.0}, "clip_part must lie between 0 and 1"),
        ({"teacher": "run"}, "teacher and teacher_weight go together"),
        ({"teacher_weight": 1.0}, "teacher and teacher_weight go together"),
        ({"gradient_norm": 0.0}, "gradient_norm must be above 0"),
        ({"draws": 1}, "draws .1. must be at least batch"),
        ({"measure": "both"}, "measure must be one of absolute, relative"),
    ],
)
def test_wrong_recipes_are_refused(changes, message, tiny_recipe):
    with pytest.raises(ConfigurationError, match=message):
        replace(tiny_recipe, **changes)


def test_features_are_used_unless_a_teacher_is_all(tiny_recipe):
    assert tiny_recipe.uses_features
    alone = replace(tiny_recipe, content_weight=0.0, style_weight=0.0, teacher="run", teacher_weight=1.0)
    assert not alone.uses_features
    assert tiny_recipe.deepest == "relu4_3"
    assert replace(tiny_recipe, style_layers=("relu1_2",), content_layer="relu2_2").deepest == "relu2_2"


@pytest.mark.parametrize("path", sorted(Path("configs/training").glob("style_*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_name_their_paintings(path):
    recipe = read_recipe(StyleRecipe, path)
    assert len(recipe.styles.given()) == (1 if recipe.net == "s3" else 7)
    assert all(image.title and image.artist for image in recipe.styles.given().values())
