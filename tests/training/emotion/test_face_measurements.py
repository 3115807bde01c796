"""The scripts that measure framing and crop scale, on a few copies of the portrait."""

import cv2
import numpy as np
import pytest

from emocolor.errors import SourceError
from stream.demo.portrait import read_portrait
from training.emotion.crop_scale import compare, find_faces
from training.emotion.face_geometry import measure


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Six squares of 64 pixels around the portrait's face, each shifted a little."""
    portrait = cv2.cvtColor(read_portrait(), cv2.COLOR_RGB2GRAY)
    squares = [
        cv2.resize(portrait[60 + n : 180 + n, 165:285], (64, 64), interpolation=cv2.INTER_AREA) for n in range(6)
    ]
    path = tmp_path_factory.mktemp("faces") / "faces.npz"
    np.savez(path, images=np.array(squares), labels=np.full(6, 3), usage=np.zeros(6, np.int8))
    return path


def test_framing(faces):
    found = measure(faces, count=6, seed=0)
    assert found["faces"] == 6
    assert 0.6 < found["box_width"] < 1.1
    assert 0.2 < found["eyes_down"] < 0.6


def test_crop_scale_asks_the_classifier_at_every_scale(faces):
    asked = []

    def predict(crops):
        asked.append(crops.shape)
        return np.tile(np.eye(7, dtype=np.float32)[3], (len(crops), 1))

    metrics = compare(find_faces(faces, 6, seed=0), predict)
    assert {shape for shape in asked} == {(6, 48, 48)}
    assert [row.accuracy for row in metrics] == [1.0] * len(metrics)
    assert {row.scale for row in metrics} >= {0.7, 1.0, 1.5}


def test_images_without_faces_are_an_error(tmp_path):
    np.savez(tmp_path / "flat.npz", images=np.full((2, 64, 64), 90, np.uint8), labels=[0, 1], usage=[0, 0])
    with pytest.raises(SourceError, match="No face was found in 2"):
        measure(tmp_path / "flat.npz", count=2, seed=0)
