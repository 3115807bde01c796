"""A colorizer's run, made once."""

import pytest


@pytest.fixture(scope="session")
def trained_colorizer(two_blobs, one_blob, tmp_path_factory):
    """The folder of a finished run of the net for video."""
    pytest.importorskip("torch", reason="torch is not installed; training needs it")
    from training.colorizer.recipe import ColorizerRecipe
    from training.colorizer.train import train

    recipe = ColorizerRecipe(
        net="video", prior="none", loss="rebalanced", grid=20, crop=32, batch=2, epochs=1, bf16=False, ema=0.0
    )
    run = tmp_path_factory.mktemp("colorizer") / "run"
    train(recipe, [two_blobs], [one_blob], run)
    return run
