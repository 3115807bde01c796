"""Batches of style nets: two views of a photo, and the styles to apply."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from engines.nets.style_net import IDENTITY, SETS  # noqa: E402
from training.data.photos import read_photos  # noqa: E402
from training.style.batches import Views, batches, sample_mixtures, two_views  # noqa: E402
from training.style.objective import view_difference  # noqa: E402


def test_views_show_the_same_at_the_same_points(tiny_recipe):
    random = np.random.default_rng(3)
    squares = torch.rand(2, 3, 44, 44)
    recipe = replace(tiny_recipe, shift=8, noise=0.0)
    moves = set()
    for _ in range(20):
        views = two_views(squares, recipe, torch.zeros(2, SETS), random)
        assert views.first.shape == views.second.shape == (2, 3, 36, 36)
        assert view_difference(views.first, views.second, views.move) == 0
        rows, columns = views.move
        if (rows, columns) != (0, 0):
            assert view_difference(views.first, views.second, (-rows, -columns)) > 0.01
        moves.add(views.move)
    assert len(moves) > 10


def test_noise_is_in_the_second_view_alone(tiny_recipe):
    squares = torch.full((2, 3, 36, 36), 0.5)
    views = two_views(squares, replace(tiny_recipe, noise=0.05), torch.zeros(2, SETS), np.random.default_rng(0))
    assert views.first.std() == 0
    assert 0 < views.second.std() < 0.05


def test_mixtures_are_convex_and_of_every_kind(tiny_recipe):
    random = np.random.default_rng(0)
    recipe = replace(tiny_recipe, batch=8, draws=8, mixed_part=0.5, partial_part=0.5)
    seen = torch.cat([sample_mixtures(recipe, [0, 2, 5], random) for _ in range(40)])
    assert seen.shape == (320, SETS)
    assert (seen >= 0).all()
    assert torch.allclose(seen.sum(1), torch.ones(320))
    assert (seen[:, [1, 3, 4, 6]] == 0).all(), "styles that the net lacks have no part"
    parts = (seen[:, :IDENTITY] > 0).sum(1)
    assert {1, 2, 3} == set(parts.tolist())
    partial = seen[:, IDENTITY] > 0
    assert 0.2 < partial.float().mean() < 0.8
    whole = sample_mixtures(replace(recipe, mixed_part=0.0, partial_part=0.0), [4], random)
    assert (whole == torch.eye(SETS)[4]).all()


def test_batches_are_repeatable(blobs, tiny_recipe):
    photos = read_photos([blobs])
    one, two, other = (list(batches(photos, tiny_recipe, list(range(7)), epoch)) for epoch in (1, 1, 2))
    assert len(one) == 2
    for a, b in zip(one, two, strict=True):
        assert isinstance(a, Views)
        assert torch.equal(a.second, b.second)
        assert torch.equal(a.mixture, b.mixture)
    assert not torch.equal(one[0].first, other[0].first)
