import numpy as np
import pytest

from emocolor.emotions import EMOTIONS
from stream.report.timeline_chart import EMOTION_RGB, draw_timeline


def _records(probabilities, certainty=0.5, seconds=4.0):
    return [(time, probabilities, certainty) for time in np.linspace(0, seconds, 9)]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_sure_emotion_fills_the_plot_with_its_colour(emotion):
    image = draw_timeline(_records(np.eye(7)[EMOTIONS.index(emotion)]))
    assert image.shape == (340, 960, 3)
    assert tuple(image[100, 400]) == EMOTION_RGB[emotion]
    assert tuple(image[250, 400]) == EMOTION_RGB[emotion]


def test_bands_are_as_high_as_their_probabilities():
    probabilities = [0.25, 0, 0, 0.5, 0, 0, 0.25]
    column = draw_timeline(_records(probabilities, certainty=0.0))[:, 400]
    heights = {
        emotion: int((column == EMOTION_RGB[emotion]).all(axis=1).sum()) for emotion in ("angry", "happy", "neutral")
    }
    assert heights["happy"] == pytest.approx(2 * heights["neutral"], abs=4)
    assert heights["angry"] == pytest.approx(heights["neutral"], abs=6)


def test_the_line_of_certainty_follows_it():
    def row(certainty):
        column = draw_timeline(_records([0, 0, 0, 1, 0, 0, 0], certainty))[:, 400].astype(int).sum(axis=1)
        return int(column.argmin())

    assert row(0.9) < row(0.5) < row(0.1)


@pytest.mark.parametrize("seconds", [0.05, 90.0, 4000.0, 100_000.0])
def test_any_length_of_film_can_be_drawn(seconds):
    image = draw_timeline(_records(np.full(7, 1 / 7), seconds=seconds), size_wh=(480, 200))
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
        draw_timeline(records)
