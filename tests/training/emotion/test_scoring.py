"""Which faces, labels and output a net is scored by."""

import numpy as np
import pytest

from emocolor.classifier import EmotionClassifier
from emocolor.errors import ConfigurationError, SourceError
from engines.emotion import load_emotion_net
from engines.spec import read_emotion_spec
from training.emotion.scoring import CHUNK, output_for, passes_of_all, scored_faces

HAPPY, ANGRY, UNKNOWN = 1, 4, 8
"""Columns of ``ferplus_votes``."""


def write_faces(path, votes):
    images = np.arange(len(votes), dtype=np.uint8)[:, None, None] * np.ones((48, 48), np.uint8)
    np.savez(path, images=images, labels=np.full(len(votes), 6), ferplus_votes=votes, usage=np.ones(len(votes)))
    return path


def votes_for(*columns):
    """(1, 10) with ten votes shared between the columns."""
    votes = np.zeros((1, 10), np.uint8)
    votes[0, list(columns)] = 10 // len(columns)
    return votes


def test_ferplus_labels_replace_the_files_own_and_images_without_majority_go(tmp_path):
    votes = np.concatenate([votes_for(HAPPY), votes_for(HAPPY, ANGRY), votes_for(UNKNOWN), votes_for(ANGRY)])
    path = write_faces(tmp_path / "faces.npz", votes)
    faces = scored_faces(path, "public", "ferplus")
    assert faces.labels.tolist() == [3, 0]
    assert faces.images[:, 0, 0].tolist() == [0, 3]
    assert scored_faces(path, "public", "fer2013").labels.tolist() == [6, 6, 6, 6]


def test_faces_without_any_majority_are_an_error(tmp_path):
    with pytest.raises(SourceError, match="has a majority"):
        scored_faces(write_faces(tmp_path / "faces.npz", votes_for(UNKNOWN)), "all", "ferplus")


def test_the_output_trained_on_the_labels_is_chosen():
    spec = read_emotion_spec("s0")
    assert output_for(spec, "ferplus") == spec.output == "fer2013"
    assert output_for(spec, "fer2013", asked="fer2013") == "fer2013"
    with pytest.raises(ConfigurationError, match=r"no output 'ferplus'\. It has fer2013"):
        output_for(spec, "fer2013", asked="ferplus")


def test_chunks_change_nothing():
    classifier = EmotionClassifier(load_emotion_net("s0"), passes=0)
    crops = np.random.default_rng(0).integers(0, 256, (CHUNK + 3, 48, 48), np.uint8)
    assert np.allclose(passes_of_all(classifier, crops, "fer2013"), classifier.passes_of(crops), atol=1e-5)
