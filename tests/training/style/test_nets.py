"""Style nets in torch: how a run starts, and what a finished one leaves."""

import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from emocolor.errors import ConfigurationError  # noqa: E402
from engines.nets.from_onnx import load_weights  # noqa: E402
from engines.nets.s3_transformer import S3Transformer  # noqa: E402
from engines.nets.style_net import StyleNet  # noqa: E402
from engines.spec import read_style_spec  # noqa: E402
from training.run_folder import final_weights  # noqa: E402
from training.style.nets import (  # noqa: E402
    load_start,
    net_of_run,
    new_net,
    required_styles,
    shipped_history,
    start_weights,
    stylize,
    stylize_function,
)
from training.style.recipe import StyleImage, StyleImages  # noqa: E402


def test_each_recipe_has_its_kind_of_net(tiny_recipe, single_recipe):
    assert isinstance(new_net(tiny_recipe), StyleNet)
    assert isinstance(new_net(single_recipe), S3Transformer)


def test_a_run_starts_where_another_ended(trained_style, tiny_recipe):
    recipe = replace(tiny_recipe, start=trained_style.name)
    net = new_net(recipe)
    load_start(net, start_weights(recipe, trained_style.parent))
    wanted = final_weights(trained_style)
    assert all(torch.equal(value, wanted[name]) for name, value in net.state_dict().items())
    with pytest.raises(ConfigurationError, match="which the recipe builds on, is not a finished run"):
        start_weights(replace(recipe, start="absent"), trained_style.parent)
    with pytest.raises(ConfigurationError, match=r"checkpoint\.pt is of another net"):
        load_start(new_net(replace(recipe, net="full")), start_weights(recipe, trained_style.parent))


def test_a_run_starts_from_a_net_that_ships_with_its_history(tiny_recipe, tmp_path):
    recipe, spec = replace(tiny_recipe, start="fast"), read_style_spec("fast")
    assert start_weights(recipe, tmp_path) == spec.weights
    net = new_net(recipe)
    load_start(net, spec.weights)
    shipped = load_weights(spec.weights)
    assert all(torch.equal(value, shipped[name]) for name, value in net.state_dict().items())
    card = json.loads(spec.weights.with_suffix(".json").read_text())
    assert shipped_history("fast") == [*card["started_from"], card["training"]]
    assert shipped_history("a run") == []
    with pytest.raises(ConfigurationError, match=r"fast\.onnx is of another net"):
        load_start(new_net(replace(recipe, net="full")), spec.weights)


def test_a_fresh_run_starts_from_nothing(tiny_recipe, tmp_path):
    assert start_weights(tiny_recipe, tmp_path) is None


def test_a_net_of_seven_styles_needs_them_all(tiny_recipe, single_recipe):
    assert list(required_styles(single_recipe)) == ["happy"]
    with pytest.raises(ConfigurationError, match="has seven styles, but there is none for fear"):
        required_styles(replace(tiny_recipe, styles=replace(tiny_recipe.styles, fear=StyleImage())))
    with pytest.raises(ConfigurationError, match=r"has one style\. Pass its painting as --style"):
        required_styles(replace(single_recipe, styles=StyleImages()))


def test_the_net_of_a_run_stylizes_stored_images(trained_style):
    recipe, net = net_of_run(trained_style)
    assert (recipe.net, net.training) == ("fast", False)
    rgb = np.random.default_rng(0).integers(0, 256, (36, 40, 3), np.uint8)
    mixture = np.eye(8, dtype=np.float32)[2]
    with torch.inference_mode():
        wanted = stylize(net, torch.from_numpy(rgb).movedim(2, 0)[None] / 255, torch.from_numpy(mixture)[None])
    found = stylize_function(net)(rgb, mixture)
    assert found.shape == rgb.shape
    assert np.abs(found / 255 - wanted[0].clamp(0, 1).movedim(0, 2).numpy()).max() < 0.51 / 255


def test_a_run_that_is_not_finished_has_no_net(tmp_path):
    with pytest.raises(ConfigurationError, match="the run is not finished"):
        net_of_run(tmp_path)
