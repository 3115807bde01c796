"""Recipes of colorizers: what they refuse, and the nets they make."""

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")
pytest.importorskip("onnx", reason="onnx is not installed; weights that ship are read with it")

from emocolor.errors import ConfigurationError  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.spec import read_colorizer_spec  # noqa: E402
from training.colorizer.recipe import ColorizerRecipe, FilmSettings, initialize, make_colorizer  # noqa: E402
from training.toml_recipe import read_recipe  # noqa: E402

FILM = ColorizerRecipe(net="context", loss="rebalanced", grid=12, start="film")
CLASSES = ColorizerRecipe(net="s2", width=0.05, loss="classes", grid=20, crop=32, batch=4, epochs=2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": "rgb"}, "s2 takes the loss ab_l2, ab_huber, classes, rebalanced, not rgb"),
        ({"crop": 100}, "multiple of 32"),
        ({"first_crop": 16}, "first_crop must be a multiple of 32"),
        ({"accumulate": 0}, "accumulate"),
        ({"film": FilmSettings(part=1.5)}, "film.part"),
        ({"film": FilmSettings(letterbox=-0.1)}, "film.letterbox"),
        ({"dropout": 2.0}, "dropout"),
        ({"max_zoom": 0.5}, "max_zoom"),
        ({"widths": (96, 128, 100)}, "The last of widths must be a multiple of 32"),
        ({"start": "film"}, "start belongs to the nets video and context, not to s2"),
        ({"loss": "ab_l2", "keep": "best"}, 'keep = "best" needs a loss on classes'),
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


def test_a_net_that_ships_goes_on_with_the_same_colours():
    """Bins whose weight in the loss is doubled become twice as probable, as they will be after training."""
    weights = load_weights(read_colorizer_spec("film").weights)["log_weights"].flatten().exp()
    gray, logits = torch.rand(1, 1, 64, 64), []
    doubled = weights.clone()
    doubled[7] *= 2
    for those in (weights, doubled):
        net = make_colorizer(FILM)
        initialize(net, FILM, those)
        with torch.inference_mode():
            logits.append(net.eval()(gray))
    change = (logits[1] - logits[0])[0, :, 0, 0]
    assert change[7] == pytest.approx(torch.tensor(2.0).log().item(), abs=1e-3)
    assert change[:7].abs().max() < 1e-3


def test_a_net_with_other_layers_is_refused():
    other = replace(FILM, widths=(96, 96, 192))
    with pytest.raises(ConfigurationError, match=r"cannot start from film: eighth\.conv\.weight"):
        initialize(make_colorizer(other), other, torch.ones(231))


def test_without_a_prior_nothing_is_loaded():
    recipe = replace(FILM, start="", prior="none")
    net = make_colorizer(recipe)
    before = net.backbone._conv_stem.weight.clone()
    initialize(net, recipe, None)
    assert torch.equal(net.backbone._conv_stem.weight, before)
