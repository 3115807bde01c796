import numpy as np
import pytest

from stream.demo.portrait import EXPRESSIONS, Expression, ExpressivePortrait, read_portrait
from stream.demo.portrait.features import FACE_XYWH
from stream.demo.portrait.warp import displacement_field, thin_plate_spline


@pytest.fixture(scope="module")
def portrait():
    return ExpressivePortrait(detail=1)


def test_happy_is_the_portrait_as_it_is(portrait):
    np.testing.assert_array_equal(portrait.show({"happy": 1.0}), read_portrait())


@pytest.mark.parametrize("emotion", sorted(set(EXPRESSIONS) - {"happy"}))
def test_an_expression_changes_the_face_and_nothing_else(portrait, emotion):
    changed = portrait.show({emotion: 1.0}) != read_portrait()
    x, y, width, height = FACE_XYWH
    assert changed[y : y + height, x : x + width].any()
    changed[y : y + height, x : x + width] = False
    assert not changed.any()


def test_a_surprised_mouth_is_open_and_a_neutral_one_shows_no_teeth(portrait):
    mouth = slice(144, 160), slice(218, 229)
    brightness = {name: portrait.show({name: 1.0})[mouth].mean(axis=2) for name in ("happy", "neutral", "surprise")}
    assert brightness["happy"].max() > 230
    assert brightness["neutral"].max() < 200
    assert brightness["surprise"].mean() < 60


def test_a_mix_lies_between_its_parts(portrait):
    happy, neutral = portrait.show({"happy": 1.0}), portrait.show({"neutral": 1.0})
    middle = portrait.show({"happy": 0.5, "neutral": 0.5})

    def distance(a, b):
        return float(np.abs(a.astype(float) - b).mean())

    assert distance(middle, happy) < distance(neutral, happy)
    assert distance(middle, neutral) < distance(happy, neutral)


def test_a_spline_passes_through_its_knots_and_keeps_straight_lines():
    rng = np.random.default_rng(1)
    knots, places = rng.uniform(0, 100, (12, 2)), rng.uniform(0, 100, (30, 2))
    values = rng.normal(0, 5, (12, 2))
    np.testing.assert_allclose(thin_plate_spline(knots, values, knots), values, atol=1e-6)
    affine = np.array([[0.3, -1.2], [0.7, 0.1]])
    np.testing.assert_allclose(thin_plate_spline(knots, knots @ affine + 2, places), places @ affine + 2, atol=1e-6)


def test_a_shift_moves_its_feature():
    field = displacement_field(Expression(shifts={"chin": (0.0, 6.0)}))
    x, y = 221.5 - FACE_XYWH[0], 177.5 + 6.0 - FACE_XYWH[1]
    np.testing.assert_allclose(field[round(2 * y), round(2 * x)], (0, -6), atol=0.4)
    assert not field[[0, -1]].any()
    assert not field[:, [0, -1]].any()


def test_detail_enlarges():
    with pytest.raises(ValueError, match="at least 1"):
        ExpressivePortrait(detail=0)
    assert ExpressivePortrait(detail=2).show({"happy": 1.0}).shape == (1024, 1024, 3)


def test_each_call_gives_an_image_of_its_own(portrait):
    portrait.show({"happy": 1.0})[:] = 0
    assert portrait.show({"happy": 1.0}).any()


def test_an_emotion_that_the_face_cannot_show_is_refused(portrait):
    with pytest.raises(KeyError, match="disgust"):
        portrait.show({"disgust": 1.0})
