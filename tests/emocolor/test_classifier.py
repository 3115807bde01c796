"""Monte Carlo dropout, on a shipped net."""

import numpy as np
import pytest

from emocolor.classifier import EmotionClassifier, summarize
from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from engines.emotion import load_emotion_net


@pytest.fixture(scope="module")
def net():
    return load_emotion_net("s0")


@pytest.fixture(scope="module")
def crops():
    random = np.random.default_rng(3)
    coarse = random.integers(0, 256, (11, 6, 6), np.uint8)
    return np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2)


def test_fixed_masks_give_the_same_passes_each_time(net, crops):
    classifier = EmotionClassifier(net, passes=6)
    assert np.array_equal(classifier.passes_of(crops), classifier.passes_of(crops))
    assert np.array_equal(classifier.passes_of(crops), EmotionClassifier(net, passes=6).passes_of(crops))


def test_a_face_is_classified_alike_alone_and_in_a_batch(net, crops):
    classifier = EmotionClassifier(net, passes=6)
    batched = classifier.passes_of(crops)
    alone = np.concatenate([classifier.passes_of(crop[None]) for crop in crops], axis=1)
    assert np.allclose(batched, alone, atol=1e-5)


def test_fresh_masks_and_other_seeds_differ(net, crops):
    fresh = EmotionClassifier(net, passes=6, fixed_masks=False)
    assert not np.allclose(fresh.passes_of(crops), fresh.passes_of(crops), atol=1e-3)
    other = EmotionClassifier(net, passes=6, seed=1).passes_of(crops)
    assert not np.allclose(other, EmotionClassifier(net, passes=6).passes_of(crops), atol=1e-3)


def test_passes_are_distributions_and_vary_only_with_dropout(net, crops):
    sampled = EmotionClassifier(net, passes=8).passes_of(crops)
    assert sampled.shape == (8, len(crops), len(EMOTIONS))
    assert sampled.min() >= 0
    assert np.allclose(sampled.sum(axis=-1), 1, atol=1e-5)
    assert sampled.std(axis=0).max() > 1e-3
    assert EmotionClassifier(net, passes=0).passes_of(crops).shape[0] == 1


def test_masks_keep_the_expected_share(net):
    classifier = EmotionClassifier(net, passes=50)
    for name, (shape, rate) in net.dropouts.items():
        mask = classifier.masks[name]
        assert mask.shape == (50, *shape)
        assert set(np.unique(mask)) == {np.float32(0), np.float32(1) / np.float32(1 - rate)}
        assert (mask == 0).mean() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / mask.size) ** 0.5)


def test_entropy_and_mutual_information():
    unanimous = np.tile(np.eye(7, dtype=np.float32)[2], (4, 1))
    certain = summarize(unanimous)
    assert certain.entropy == pytest.approx(0, abs=1e-6)
    assert certain.mutual_information == pytest.approx(0, abs=1e-6)
    divided = summarize(np.eye(7, dtype=np.float32))  # each pass certain of another emotion
    assert divided.entropy == pytest.approx(np.log(7))
    assert divided.mutual_information == pytest.approx(np.log(7))
    vague = summarize(np.full((4, 7), 1 / 7, np.float32))  # each pass equally uncertain
    assert vague.entropy == pytest.approx(np.log(7))
    assert vague.mutual_information == pytest.approx(0, abs=1e-6)


def test_no_faces_no_estimates(net):
    assert EmotionClassifier(net).estimate([]) == []


@pytest.mark.parametrize("passes", [-1, 1001])
def test_impossible_passes_are_refused(net, passes):
    with pytest.raises(ConfigurationError, match="passes"):
        EmotionClassifier(net, passes=passes)
