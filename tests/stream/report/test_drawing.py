import cv2
import numpy as np
import pytest

from emocolor.errors import SinkError
from stream.report.drawing import draw_line, draw_text, fill_polygon, text_width, time_label, write_png

BLACK = (0, 0, 0)


def paper(width=120, height=60):
    return np.full((height, width, 3), 255, np.uint8)


def inked_columns(image):
    columns = np.flatnonzero((image < 128).any(axis=(0, 2)))
    return int(columns[0]), int(columns[-1])


@pytest.mark.parametrize("align", ["left", "center", "right"])
def test_text_is_aligned_with_its_place(align):
    image, width = paper(240), text_width("MMM", 14)
    draw_text(image, "MMM", (120, 40), 14, BLACK, align=align)
    left, right = inked_columns(image)
    middle = 120 + {"left": width / 2, "center": 0, "right": -width / 2}[align]
    assert (left + right) / 2 == pytest.approx(middle, abs=3)
    assert 0.8 * width < right - left <= width


def test_capitals_have_the_height_that_was_asked_for():
    image = paper()
    draw_text(image, "H", (20, 50), 22, BLACK)
    rows = np.flatnonzero((image < 128).any(axis=(1, 2)))
    assert rows[-1] - rows[0] + 1 == pytest.approx(22, abs=2)
    assert rows[-1] == pytest.approx(50, abs=1)


def test_areas_and_lines_are_drawn_at_fractions_of_pixels():
    image = paper()
    fill_polygon(image, [(10.5, 10), (30.5, 10), (30.5, 40), (10.5, 40)], (200, 0, 0))
    assert tuple(image[25, 20]) == (200, 0, 0)
    assert 0 < image[25, 10, 1] < 255
    draw_line(image, [(50, 30), (110, 30)], BLACK, 3)
    assert (image[29:32, 55:105] < 60).all()
    assert (image[34:, 55:105] == 255).all()
    draw_line(image, [(50, 50), (110, 50)], BLACK, 0.1)
    assert (image[50, 55:105] < 60).all(), "at least a pixel"


@pytest.mark.parametrize(
    ("seconds", "label"),
    [(0, "0 s"), (0.25, "0.25 s"), (59.5, "59.5 s"), (65, "1:05"), (3599, "59:59"), (3725, "1:02:05")],
)
def test_times_are_labelled_as_people_read_them(seconds, label):
    assert time_label(seconds) == label


def test_a_written_image_reads_back(tmp_path):
    image = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    write_png(tmp_path / "image.png", image)
    read = cv2.imread(str(tmp_path / "image.png"), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), image)


def test_an_image_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(SinkError, match=r"nowhere does not exist"):
        write_png(tmp_path / "nowhere" / "image.png", paper())
