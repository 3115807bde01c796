import numpy as np
import pytest

from emocolor.emotions import EMOTIONS
from stream.demo.portrait.expressions import EXPRESSIONS, Expression, Mouth
from stream.demo.portrait.features import MOUTH_CENTER, SMILE_HALF_WIDTH, smiling_lips


def test_a_feature_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="no such features: ear"):
        Expression(shifts={"ear": (1.0, 0.0)})


def test_every_expression_shows_an_emotion_and_happy_is_the_portrait():
    assert set(EXPRESSIONS) <= set(EMOTIONS)
    assert EXPRESSIONS["happy"] == Expression()


def opening(mouth):
    """How far the lips are apart, from corner to corner."""
    _, upper, lower, _ = mouth.edges()
    return lower[:, 1] - upper[:, 1]


def test_a_mouth_has_the_points_of_the_smile():
    assert Mouth(half_width=15).edges().shape == smiling_lips().shape


def test_lips_meet_at_the_corners_and_part_in_the_middle():
    apart = opening(Mouth(half_width=15, gap=12))
    assert apart[[0, -1]] == pytest.approx(0, abs=1.5)
    assert apart.max() == pytest.approx(12, rel=0.01)
    assert apart.argmax() in (4, 5)


def test_corners_move_apart_and_down():
    wide, narrow = Mouth(half_width=SMILE_HALF_WIDTH).edges(), Mouth(half_width=SMILE_HALF_WIDTH / 2).edges()
    assert np.ptp(wide[0, :, 0]) == pytest.approx(2 * np.ptp(narrow[0, :, 0]))
    level, drooping = Mouth(half_width=15).edges(), Mouth(half_width=15, corner=5).edges()
    moved = drooping[..., 1] - level[..., 1]
    assert moved[:, [0, -1]] == pytest.approx(5, abs=0.5)
    assert np.abs(moved[:, 4]).max() < 0.01


def test_drop_is_the_part_of_the_gap_below_the_line():
    closed, dropped = Mouth(half_width=15, gap=0), Mouth(half_width=15, gap=10, drop=1)
    assert np.array_equal(dropped.edges()[1], closed.edges()[1])
    assert dropped.edges()[2, 4, 1] > MOUTH_CENTER[1] + 9


def test_lips_have_the_thickness_that_was_asked_for():
    thin, thick = Mouth(half_width=15, upper=0.5).edges(), Mouth(half_width=15, upper=1.0).edges()
    assert (thick[1] - thick[0])[:, 1] == pytest.approx(2 * (thin[1] - thin[0])[:, 1])
    assert np.array_equal(thin[2:], thick[2:])
