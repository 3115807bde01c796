"""Contact sheets: gray, coloured and true images, side by side."""

import cv2
import numpy as np
import pytest

from emocolor.errors import ConfigurationError
from training.colorizer.contact_sheet import GAP, contact_sheet
from training.colorizer.recolorers import baseline_recolorer
from training.data.photos import read_photos


@pytest.fixture
def photos(tmp_path):
    for number in range(5):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 60, 3), (0, 0, 50 * number + 20), np.uint8))
    return read_photos([tmp_path])


def test_each_photo_is_shown_gray_coloured_and_true(photos):
    sheet = contact_sheet(photos, baseline_recolorer("gray"), count=5, columns=2, size=32)
    assert sheet.shape == (3 * (32 + GAP), 2 * (3 * 32 + GAP), 3)
    gray, coloured, true = (sheet[16, column] for column in (16, 48, 80))
    assert np.ptp(gray) == 0
    assert np.array_equal(gray, coloured)  # the baseline's answer is gray
    assert true[0] > 15 > max(true[1:])
    assert (sheet[-20, -20] == 255).all()  # the sixth place is empty


def test_photos_are_taken_evenly_over_the_set(photos):
    sheet = contact_sheet(photos, baseline_recolorer("gray"), count=2, columns=1, size=32)
    first, last = sheet[16, 80, 0], sheet[16 + 32 + GAP, 80, 0]
    assert first == pytest.approx(20, abs=1)
    assert last == pytest.approx(220, abs=1)


def test_a_sheet_needs_photos(photos):
    with pytest.raises(ConfigurationError, match="at least one photo"):
        contact_sheet(photos, baseline_recolorer("gray"), count=0, columns=2, size=32)
