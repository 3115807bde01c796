"""What may be changed from outside, and what is said of what may not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.effects import ColorizeOptions, StyleOptions, TintOptions
from emocolor.errors import ConfigurationError
from stream.live.controls import Controls


def test_a_change_leaves_the_rest():
    before = Controls(alpha=0.25)
    after = before.changed({"effect": "colorize,tint", "overlay": True})
    assert (after.alpha, after.overlay) == (0.25, True)
    colorize, tint = after.effects()
    assert isinstance(colorize, ColorizeOptions)
    assert colorize.history.look_ahead == 0
    assert isinstance(tint, TintOptions)
    assert tint.alpha == 0.25


def test_a_whole_number_is_a_number():
    assert Controls().changed({"alpha": 1}).alpha == 1


def test_a_style_is_fixed_or_follows():
    (follows,) = Controls(effect="style").effects()
    (fixed,) = Controls(effect="style", style="sad").effects()
    assert isinstance(follows, StyleOptions)
    assert isinstance(fixed, StyleOptions)
    assert (follows.fixed, fixed.fixed) == (None, {"sad": 1.0})


def test_values_go_out_as_they_come_in():
    controls = Controls(effect="grade", strength=0.4)
    assert Controls().changed(controls.as_message()) == controls


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"alpah": 1}, "no control 'alpah'; did you mean 'alpha'"),
        ({"alpha": "1"}, "'alpha' takes a number, not '1'"),
        ({"alpha": True}, "'alpha' takes a number, not True"),
        ({"alpha": 2}, "alpha must lie between 0 and 1, got 2"),
        ({"alpha": float("nan")}, "alpha must lie between"),
        ({"overlay": 1}, "'overlay' takes true or false"),
        ({"effect": "tnit"}, "Unknown effect 'tnit'; did you mean 'tint'"),
        ({"effect": None}, "'effect' takes a word"),
        ({"palette": "../secret.toml"}, "Unknown palette"),
        ({"style": "joy"}, "Unknown style 'joy'"),
        ({"region": "face "}, "did you mean 'face'"),
    ],
)
def test_what_cannot_be_is_named(message, words):
    with pytest.raises(ConfigurationError, match=words):
        Controls().changed(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(list(Controls().as_message())) | st.text(max_size=8)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_any_message_is_taken_or_refused_in_one_line(message):
    said = ""
    try:
        assert Controls().changed(message).effects() is not None
    except ConfigurationError as error:
        said = str(error)
    assert "\n" not in said
