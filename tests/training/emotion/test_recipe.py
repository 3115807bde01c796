"""Recipes of emotion classifiers."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError
from training.emotion.recipe import EmotionRecipe
from training.toml_recipe import read_recipe


@pytest.mark.parametrize("path", sorted(Path("configs/training").glob("emotion_*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_can_be_read(path):
    assert read_recipe(EmotionRecipe, path).epochs > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"balance_before_split": True}, "balance_before_split needs split and balance_to"),
        ({"split": (0.5, 0.5)}, r"three shares that add up to 1, got \[0.5, 0.5\]"),
        ({"split": (0.5, 0.5, 0.5)}, "three shares"),
        ({"labels": "votes"}, "labels must be one of fer2013, ferplus, both"),
    ],
)
def test_impossible_settings_are_refused(changes, words):
    with pytest.raises(ConfigurationError, match=words):
        EmotionRecipe(**changes)


def test_each_kind_of_labels_has_its_output():
    assert EmotionRecipe().label_sets == ("fer2013",)
    assert EmotionRecipe(labels="both").label_sets == ("fer2013", "ferplus")
