import numpy as np
import pytest

from stream.report.frame_strip import make_strip

RED, BLUE = (200, 30, 20), (20, 40, 210)


def _plain(color, size_wh=(160, 90)):
    return np.full((size_wh[1], size_wh[0], 3), color, np.uint8)


def test_before_stands_above_after_with_a_gap():
    strip = make_strip([_plain(RED)] * 3, [_plain(BLUE)] * 3, ["one", "two", "three"], width=480)
    height = round((480 - 8) / 3 * 90 / 160)
    assert strip.shape[1:] == (480, 3)
    assert strip.dtype == np.uint8
    for column in (0, 80, 240, 400, 479):
        assert tuple(strip[height // 2, column]) == RED
        assert tuple(strip[height + 4 + height // 2, column]) == BLUE
    assert (strip[height : height + 4] == 255).all()
    assert (strip[: 2 * height + 4, 158:161] == 255).all()


def test_captions_stand_below_their_columns():
    strip = make_strip([_plain(RED)] * 2, [_plain(BLUE)] * 2, ["surprise 0.9", ""], width=480)
    below = strip[2 * round(238 * 90 / 160) + 4 :]
    assert (below[:, :238] < 128).any()
    assert (below[:, 242:] == 255).all()


def test_a_long_caption_stays_in_its_column():
    strip = make_strip([_plain(RED)] * 2, [_plain(BLUE)] * 2, ["a caption much longer than others", ""], width=240)
    below = strip[2 * round(118 * 90 / 160) + 4 :]
    assert (below[:, 122:] == 255).all()


def test_frames_of_other_sizes_are_fitted():
    strip = make_strip([_plain(RED)], [_plain(BLUE, (50, 200))], [""], width=320)
    assert tuple(strip[180 + 4 + 90, 160]) == BLUE


@pytest.mark.parametrize(
    ("before", "after", "captions", "width"),
    [
        ([], [], [], 100),
        ([_plain(RED)], [], ["a"], 100),
        ([_plain(RED)], [_plain(RED)], [], 100),
        ([_plain(RED)] * 10, [_plain(RED)] * 10, ["a"] * 10, 100),
        ([_plain(RED)], [_plain(RED).astype(float)], ["a"], 100),
    ],
)
def test_a_strip_that_cannot_be_is_refused(before, after, captions, width):
    with pytest.raises(ValueError, match=r"strip needs|do not fit"):
        make_strip(before, after, captions, width=width)
