"""Batches of colorizers: repeatable crops of every photo, some with a film look."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from training.colorizer.batches import batches  # noqa: E402
from training.colorizer.recipe import ColorizerRecipe, FilmSettings  # noqa: E402
from training.data.film_look import to_gray  # noqa: E402
from training.data.photos import read_photos  # noqa: E402

TINY = ColorizerRecipe(net="s2", width=0.05, loss="classes", grid=20, crop=32, batch=4, epochs=2)


def test_batches_show_every_photo_once_and_are_repeatable(blobs):
    recipe = replace(TINY, film=FilmSettings(part=1.0))
    one, two, other = (list(batches(read_photos([blobs]), recipe, epoch)) for epoch in (1, 1, 2))
    assert [(number, len(rgb)) for number, rgb, _ in one] == [(0, 4), (1, 4)]
    assert all(torch.equal(a, b) and torch.equal(c, d) for (_, a, c), (_, b, d) in zip(one, two, strict=True))
    assert not torch.equal(one[0][1], other[0][1])
    for _, rgb, gray in one:
        assert rgb.shape[1:] == (3, 32, 32)
        assert gray.shape[1:] == (1, 32, 32)
        assert 0 <= gray.min() <= gray.max() <= 1


def test_only_filmed_images_lose_their_luma(blobs):
    """A recipe with the film look leaves the other images as clean luma."""
    recipe = replace(TINY, batch=12, film=FilmSettings(part=0.5))
    ((_, rgb, gray),) = list(batches(read_photos([blobs]), recipe, epoch=1))[:1]
    kept = [bool(torch.equal(one, whole)) for one, whole in zip(gray, to_gray(rgb), strict=True)]
    assert 0 < sum(kept) < len(kept)


def test_an_epoch_may_be_entered_anywhere(blobs):
    recipe = replace(TINY, batch=3, film=FilmSettings(part=1.0, letterbox=1.0))
    photos = read_photos([blobs])
    whole, rest = list(batches(photos, recipe, 2)), list(batches(photos, recipe, 2, first=1))
    assert [number for number, *_ in rest] == [1, 2]
    for (_, rgb, gray), (_, same_rgb, same_gray) in zip(whole[1:], rest, strict=True):
        assert torch.equal(rgb, same_rgb)
        assert torch.equal(gray, same_gray)
