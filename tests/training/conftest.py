"""Pictures to train on, and a net to judge them by, made once."""

import cv2
import numpy as np
import pytest

from emocolor.emotions import EMOTIONS


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """A folder of eight pictures of coloured blobs, 96x64."""
    return _blobs(tmp_path_factory.mktemp("photos"), 8)


@pytest.fixture(scope="session")
def two_blobs(tmp_path_factory):
    """A folder of two such pictures: to measure on where the figures themselves do not matter."""
    return _blobs(tmp_path_factory.mktemp("held_out"), 2)


def _blobs(folder, count):
    random = np.random.default_rng(0)
    for number in range(count):
        picture = cv2.resize(random.integers(0, 256, (3, 4, 3), np.uint8), (96, 64), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


@pytest.fixture(scope="session")
def painted_pictures(tmp_path_factory):
    """A folder of seven pictures to learn styles from, named by the emotions, 80x80."""
    folder = tmp_path_factory.mktemp("paintings")
    random = np.random.default_rng(1)
    for number, emotion in enumerate(EMOTIONS):
        coarse = random.integers(0, 256, (4 + 3 * number, 5 + 3 * number, 3), np.uint8)
        cv2.imwrite(str(folder / f"{emotion}.png"), cv2.resize(coarse, (80, 80), interpolation=cv2.INTER_NEAREST))
    return folder


@pytest.fixture(scope="session")
def vgg_arrays():
    """Makes values of VGG16's first layers, as a file holds them: random, but such as a release is known by."""
    pytest.importorskip("torch", reason="torch is not installed; VGG16 needs it")
    from training.style.vgg_weights import CHANNELS, PLACES, RELEASES

    def made(count=10, release=0):
        random, known, found = np.random.default_rng(0), RELEASES[release], {}
        for place in range(count):
            channels_in, channels_out = CHANNELS[place : place + 2]
            kernels = random.standard_normal((channels_out, channels_in, 3, 3), np.float32) * known.spreads[place]
            if place == 0:
                kernels[0] = known.first
            found[f"features.{PLACES[place]}.weight"] = kernels.astype(np.float16)
            found[f"features.{PLACES[place]}.bias"] = random.normal(0, 0.01, channels_out).astype(np.float16)
        return found

    return made


@pytest.fixture(scope="session")
def vgg_file(vgg_arrays, tmp_path_factory):
    """An npz of them, up to relu4_3."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.npz"
    np.savez(path, **vgg_arrays())
    return path
