"""Recipes from TOML files."""

from dataclasses import dataclass, field

import pytest

from emocolor.errors import ConfigurationError
from training.toml_recipe import read_recipe


@dataclass(frozen=True)
class Inner:
    part: float = 0.5


@dataclass(frozen=True)
class Recipe:
    epochs: int = 2
    rate: float = 0.1
    flip: bool = True
    split: tuple[float, ...] = ()
    inner: Inner = field(default_factory=Inner)


def read(tmp_path, text):
    (tmp_path / "recipe.toml").write_text(text)
    return read_recipe(Recipe, tmp_path / "recipe.toml")


def test_a_file_overrides_the_defaults(tmp_path):
    assert read_recipe(Recipe, None) == Recipe()
    assert read(tmp_path, "rate = 1\nsplit = [0.5, 0.5]\n[inner]\npart = 0.1") == Recipe(
        rate=1, split=(0.5, 0.5), inner=Inner(0.1)
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 3", r"recipe\.toml: unknown key 'epoch'; did you mean 'epochs'"),
        ("[inner]\nparts = 1", "unknown key 'parts'; did you mean 'part'"),
        ("epochs = 2.5", "epochs cannot be 2.5"),
        ("epochs = true", "epochs cannot be True"),
        ("flip = 1", "flip cannot be 1"),
        ("split = 0.5", "split cannot be 0.5"),
        ("epochs = ", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(text, words, tmp_path):
    with pytest.raises(ConfigurationError, match=words):
        read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read"):
        read_recipe(Recipe, tmp_path / "none.toml")
