"""The images of a run: split, cleaned, balanced, and their batches."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; training needs it")

from engines.nets.catalog import emotion_net  # noqa: E402
from training.emotion.augmentation import Augmentation  # noqa: E402
from training.emotion.batches import as_input, batches, load_data  # noqa: E402
from training.emotion.recipe import EmotionRecipe  # noqa: E402

STILL = Augmentation(rotation_degrees=0.0, shift=0.0, zoom=0.0, flip=False)
RECIPE = EmotionRecipe(batch=16, augmentation=STILL)


def test_copies_and_faceless_images_are_left_out_and_counted(few_faces_file):
    data = load_data(RECIPE, few_faces_file, None)
    assert data.counts == {"copies_dropped": 1, "train": 41, "held_out": 14}
    assert data.test is None
    cleaned = load_data(replace(RECIPE, drop_faceless=True, drop_disputed=True), few_faces_file, None)
    assert cleaned.counts.keys() == {"copies_dropped", "faceless_dropped", "disputed_dropped", "train", "held_out"}
    assert cleaned.counts["train"] == 41 - cleaned.counts["faceless_dropped"] - cleaned.counts["disputed_dropped"]
    assert load_data(RECIPE, few_faces_file, 10).counts["train"] == 10


def test_a_random_split_is_balanced_afterwards_or_before(few_faces_file):
    recipe = replace(RECIPE, split=(0.5, 0.25, 0.25), balance_to=4, drop_copies=False)
    after = load_data(recipe, few_faces_file, None)
    assert np.bincount(after.train.labels).tolist() == [4] * 7
    assert after.test is not None
    before = load_data(replace(recipe, balance_before_split=True), few_faces_file, None)
    assert before.counts["train"] == 14


def test_targets_of_both_kinds_stand_side_by_side(few_faces_file):
    data = load_data(replace(RECIPE, labels="both", label_smoothing=0.07), few_faces_file, None)
    assert data.targets.shape == (41, 2, 7)
    assert torch.allclose(data.targets[:, 0].sum(1), torch.ones(41))
    assert torch.allclose(data.targets[:, 0].amax(1), torch.tensor(0.94))
    assert (data.known[:, 0] == 1).all()


def test_an_epoch_shows_every_image_once(few_faces_file):
    data, net = load_data(RECIPE, few_faces_file, None), emotion_net("s0")
    found = list(batches(data, net, RECIPE, torch.Generator().manual_seed(0)))
    assert [len(batch.faces) for batch in found] == [16, 16, 9]
    seen = torch.cat([batch.faces for batch in found]).flatten(1)
    wanted = as_input(data.train.images, net).flatten(1)
    assert torch.equal(seen.sum(1).sort().values, wanted.sum(1).sort().values)
    again = list(batches(data, net, RECIPE, torch.Generator().manual_seed(0)))
    assert all(torch.equal(a.faces, b.faces) for a, b in zip(found, again, strict=True))


def test_mixup_mixes_faces_and_targets_by_the_same_share(few_faces_file):
    recipe, net = replace(RECIPE, mixup=1.0), emotion_net("s0")
    data = load_data(recipe, few_faces_file, None)
    (plain, *_), (mixed, *_) = (
        list(batches(data, net, one, torch.Generator().manual_seed(0))) for one in (RECIPE, recipe)
    )
    change, mirrored = mixed.faces - plain.faces, plain.faces.flip(0) - plain.faces
    share = float((change * mirrored).sum() / mirrored.square().sum())
    assert 0 < share < 1
    assert torch.allclose(change, share * mirrored, atol=1e-5)
    assert torch.allclose(mixed.targets, (1 - share) * plain.targets + share * plain.targets.flip(0), atol=1e-5)


@pytest.mark.parametrize(("name", "shape"), [("s0", (3, 1, 48, 48)), ("s3", (3, 3, 128, 128))])
def test_images_become_what_the_net_takes(name, shape):
    found = as_input(np.full((3, 60, 50), 51, np.uint8), emotion_net(name))
    assert found.shape == shape
    assert found.unique().tolist() == pytest.approx([0.2])
