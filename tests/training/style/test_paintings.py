"""What may be given as a painting."""

import cv2
import numpy as np
import pytest

from emocolor.errors import SourceError
from training.style.paintings import read_painting


def write(path, image):
    cv2.imwrite(str(path), image)
    return path


def test_the_short_side_is_scaled(tmp_path):
    path = write(tmp_path / "a.png", np.zeros((100, 250, 3), np.uint8))
    assert read_painting(path, 80).shape == (80, 200, 3)


def test_gray_becomes_rgb_and_transparency_white(tmp_path):
    gray = write(tmp_path / "gray.png", np.full((80, 80), 99, np.uint8))
    assert (read_painting(gray, 80) == 99).all()
    clear = np.zeros((80, 80, 4), np.uint8)
    clear[:, :40] = (10, 20, 30, 255)
    found = read_painting(write(tmp_path / "clear.png", clear), 80)
    assert (found[:, :40] == (30, 20, 10)).all()
    assert (found[:, 40:] == 255).all()


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_what_is_no_image_is_refused(content, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is not an image that OpenCV reads"):
        read_painting(path, 80)


def test_absent_and_tiny_ones_are_refused(tmp_path):
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_painting(tmp_path / "absent.jpg", 80)
    tiny = write(tmp_path / "tiny.png", np.zeros((300, 20, 3), np.uint8))
    with pytest.raises(SourceError, match="is 20x300; both sides need 64 px"):
        read_painting(tiny, 80)
