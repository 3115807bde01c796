import cv2
import numpy as np
import pytest

from emocolor.emotions import EMOTIONS
from emocolor.errors import SinkError
from stream.report.frame_strip import EMOTION_RGB, make_strip, timeline_image, write_png

RED, BLUE = (200, 30, 20), (20, 40, 210)


def _plain(color, size_wh=(160, 90)):
    return np.full((size_wh[1], size_wh[0], 3), color, np.uint8)


def _records(probabilities, certainty=0.5, seconds=4.0):
    return [(time, probabilities, certainty) for time in np.linspace(0, seconds, 9)]


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


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_sure_emotion_fills_the_plot_with_its_colour(emotion):
    image = timeline_image(_records(np.eye(7)[EMOTIONS.index(emotion)]))
    assert image.shape == (340, 960, 3)
    assert tuple(image[100, 400]) == EMOTION_RGB[emotion]
    assert tuple(image[250, 400]) == EMOTION_RGB[emotion]


def test_bands_are_as_high_as_their_probabilities():
    probabilities = [0.25, 0, 0, 0.5, 0, 0, 0.25]
    column = timeline_image(_records(probabilities, certainty=0.0))[:, 400]
    heights = {
        emotion: int((column == EMOTION_RGB[emotion]).all(axis=1).sum()) for emotion in ("angry", "happy", "neutral")
    }
    assert heights["happy"] == pytest.approx(2 * heights["neutral"], abs=4)
    assert heights["angry"] == pytest.approx(heights["neutral"], abs=6)


def test_the_line_of_certainty_follows_it():
    def row(certainty):
        column = timeline_image(_records([0, 0, 0, 1, 0, 0, 0], certainty))[:, 400].astype(int).sum(axis=1)
        return int(column.argmin())

    assert row(0.9) < row(0.5) < row(0.1)


@pytest.mark.parametrize("seconds", [0.05, 90.0, 4000.0, 100_000.0])
def test_any_length_of_film_can_be_drawn(seconds):
    image = timeline_image(_records(np.full(7, 1 / 7), seconds=seconds), size_wh=(480, 200))
    assert image.shape == (200, 480, 3)
    assert (image[-12:] < 200).any(), "no labels on the time axis"


@pytest.mark.parametrize(
    "records",
    [
        [],
        [(0.0, [1 / 7] * 7, 1.0)],
        [(1.0, [1 / 7] * 7, 1.0), (1.0, [1 / 7] * 7, 1.0)],
        [(0.0, [0.5] * 2, 1.0), (1.0, [0.5] * 2, 1.0)],
    ],
)
def test_a_timeline_that_cannot_be_is_refused(records):
    with pytest.raises(ValueError, match=r"records|probabilities"):
        timeline_image(records)


def test_a_written_image_reads_back(tmp_path):
    image = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    write_png(tmp_path / "image.png", image)
    read = cv2.imread(str(tmp_path / "image.png"), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), image)


def test_a_image_that_cannot_be_written_is_one_clear_error(tmp_path):
    with pytest.raises(SinkError, match=r"image\.png"):
        write_png(tmp_path / "nowhere" / "image.png", _plain(RED))
