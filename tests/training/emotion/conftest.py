"""Faces to train and to measure on, made once."""

import cv2
import numpy as np
import pytest

from stream.demo.portrait import read_portrait


def write_faces(path, train=64, public=32, *, votes=True):
    """Noise of 48x48, brighter with the number of its label; the last public-test image is a copy of a training one."""
    count, random = train + public, np.random.default_rng(0)
    labels = np.arange(count) % 7
    images = (random.integers(0, 60, (count, 48, 48)) + 25 * labels[:, None, None]).astype(np.uint8)
    images[-1] = images[3]
    arrays = {"images": images, "labels": labels.astype(np.int8), "usage": np.repeat(np.int8([0, 1]), [train, public])}
    if votes:
        arrays["ferplus_votes"] = random.integers(0, 4, (count, 10)).astype(np.uint8)
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def faces_file(tmp_path_factory):
    """64 training and 32 public-test images without votes."""
    return write_faces(tmp_path_factory.mktemp("faces") / "faces.npz", votes=False)


@pytest.fixture(scope="session")
def few_faces_file(tmp_path_factory):
    """42 training and 14 public-test images with votes."""
    return write_faces(tmp_path_factory.mktemp("faces") / "few.npz", 42, 14)


@pytest.fixture(scope="session")
def portraits_file(tmp_path_factory):
    """Six squares of 64 pixels around the face of the demo's portrait, each shifted a little."""
    portrait = cv2.cvtColor(read_portrait(), cv2.COLOR_RGB2GRAY)
    squares = [
        cv2.resize(portrait[60 + n : 180 + n, 165:285], (64, 64), interpolation=cv2.INTER_AREA) for n in range(6)
    ]
    path = tmp_path_factory.mktemp("faces") / "portraits.npz"
    np.savez(path, images=np.array(squares), labels=np.full(6, 3), usage=np.zeros(6, np.int8))
    return path


@pytest.fixture(scope="session")
def trained_classifiers(few_faces_file, tmp_path_factory):
    """A folder of finished runs: two of S0's net, and one of the tiny net."""
    pytest.importorskip("torch", reason="torch is not installed; training needs it")
    from dataclasses import replace

    from training.emotion.recipe import EmotionRecipe
    from training.emotion.train import train

    folder, recipe = tmp_path_factory.mktemp("runs"), EmotionRecipe(epochs=1, batch=16, bf16=False)
    for name, one in {"seed1": recipe, "seed2": replace(recipe, seed=2), "tiny": replace(recipe, net="tiny")}.items():
        train(one, few_faces_file, folder / name)
    return folder
