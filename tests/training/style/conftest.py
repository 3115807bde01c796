"""Recipes of style nets on made-up paintings, and a finished run, made once."""

from dataclasses import replace

import pytest

from emocolor.emotions import EMOTIONS


@pytest.fixture(scope="session")
def tiny_recipe():
    """Of the fast net with all seven styles; a step takes a tenth of a second."""
    pytest.importorskip("torch", reason="torch is not installed; training needs it")
    from training.style.recipe import StyleImage, StyleImages, StyleRecipe

    styles = {e: StyleImage(file=f"{e}.png", title=f"On {e}", artist="Nobody", why=f"It is {e}.") for e in EMOTIONS}
    return StyleRecipe(
        net="fast", styles=StyleImages(**styles), style_size=64, crop=36, shift=4, draws=4, batch=2, epochs=1,
        bf16=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def shallow_recipe(tiny_recipe):
    """The same with losses that need the first layers of VGG16 alone, and no mixtures."""
    layers = {"style_layers": ("relu1_2", "relu2_2"), "content_layer": "relu2_2"}
    return replace(tiny_recipe, mixed_part=0.0, partial_part=0.0, **layers)


@pytest.fixture(scope="session")
def single_recipe(shallow_recipe):
    """Of S3's net, with the painting of happy."""
    from training.style.recipe import StyleImages

    return replace(shallow_recipe, net="s3", styles=StyleImages(happy=shallow_recipe.styles.happy))


@pytest.fixture(scope="session")
def train_style(blobs, one_blob, paintings_folder, vgg_file):
    """Trains by a recipe into a folder, which it returns."""
    pytest.importorskip("torch", reason="torch is not installed; training needs it")
    from training.style.train import StyleData, train

    def run(recipe, folder, *, resume=False, **places):
        data = StyleData(paintings=paintings_folder, photos=[blobs], validation=[one_blob], vgg=vgg_file, **places)
        train(recipe, data, folder, resume=resume)
        return folder

    return run


@pytest.fixture(scope="session")
def trained_style(tiny_recipe, train_style, tmp_path_factory):
    """The folder of a finished run of the fast net."""
    return train_style(tiny_recipe, tmp_path_factory.mktemp("style") / "first")
