"""Pictures to train on, made once per module."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """A folder of eight pictures of coloured blobs, 96x64."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(8):
        picture = cv2.resize(random.integers(0, 256, (3, 4, 3), np.uint8), (96, 64), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder
