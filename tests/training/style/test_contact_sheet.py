"""Sheets of photos and of what a style net makes of them."""

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib is not installed; training needs it")

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from engines.spec import Painting
from training.data.photos import read_photos
from training.style.candidates import CandidateNet
from training.style.contact_sheet import contact_sheet, style_sheet


def brightened(rgb, mixture):
    """By ten levels a style, in the emotions' order."""
    return rgb + np.uint8(10 * (1 + mixture.argmax()))


NET = CandidateNet("known", brightened, {e: Painting(title="", artist="") for e in EMOTIONS}, "test")


@pytest.fixture
def photos(tmp_path):
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 60, 3), 20 * number, np.uint8))
    return read_photos([tmp_path])


def test_a_row_shows_a_photo_in_every_style(photos):
    sheet = contact_sheet(photos, [NET], count=3, size=36)
    assert sheet.shape == (3 * 36, 8 * 36, 3)
    first, middle, last = (sheet[36 * row + 16, 16::36, 0].tolist() for row in range(3))
    assert first == [0, 10, 20, 30, 40, 50, 60, 70]
    assert (middle[0], last[0]) == (40, 80), "evenly over the set"


def test_a_net_of_one_style_has_two_columns(photos):
    one = CandidateNet("known", brightened, {"sad": Painting(title="", artist="")}, "test")
    assert contact_sheet(photos, [one], count=9, size=36)[8, 8::36, 0].tolist() == [0, 50]


@pytest.mark.parametrize(
    ("count", "size", "words"),
    [(0, 36, "at least one photo, not 0"), (1, 12, "at least 36, got 12"), (1, 38, "a multiple of 4, at least 36")],
)
def test_other_sheets_are_refused(photos, count, size, words):
    with pytest.raises(ConfigurationError, match=words):
        contact_sheet(photos, [NET], count=count, size=size)


def test_nets_stand_in_a_row_and_the_photo_once(photos):
    one = CandidateNet("known", brightened, {"sad": Painting(title="", artist="")}, "test")
    other = CandidateNet("known", brightened, {"angry": Painting(title="", artist="")}, "test")
    assert contact_sheet(photos, [one, other], count=1, size=36)[8, 8::36, 0].tolist() == [0, 50, 10]


def test_mixtures_stand_beside_the_image():
    image = np.full((4, 4, 3), 100, np.uint8)
    sheet = style_sheet([image, image], [np.eye(8, dtype=np.float32)[style] for style in (0, 6)], brightened)
    assert sheet[2::4, 2::4, 0].tolist() == [[100, 110, 170]] * 2
