"""Live controls: what a client may change, and what it is told about the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.effects import ColorizeOptions, GradeOptions, StyleOptions, TintOptions
from emocolor.errors import ConfigurationError
from stream.live.controls import Controls


class Dim:
    def apply(self, frame, scene):
        return frame


def test_a_change_leaves_the_rest():
    before = Controls.of((TintOptions(alpha=0.25),))
    after = before.changed({"effect": "colorize,tint,overlay"})
    colorize, tint, overlay = after.effects()
    assert isinstance(colorize, ColorizeOptions)
    assert (tint.alpha, overlay.section) == (0.25, "overlay")


def test_options_of_an_effect_that_leaves_the_chain_are_kept():
    controls = Controls().changed({"tint.alpha": 0.9, "effect": "grade"}).changed({"effect": "tint"})
    assert controls.effects() == (TintOptions(alpha=0.9),)


def test_a_whole_number_is_a_number():
    assert Controls().changed({"tint.alpha": 1}).effects()[0].alpha == 1


def test_a_style_is_fixed_or_follows():
    controls = Controls.of((StyleOptions(),))
    assert controls.changed({"style.fixed": "sad"}).effects()[0].fixed == {"sad": 1.0}
    assert controls.changed({"style.fixed": "sad"}).changed({"style.fixed": "auto"}).effects()[0].fixed is None


def test_values_go_out_as_they_come_in():
    controls = Controls.of((GradeOptions(strength=0.4), StyleOptions(fixed={"sad": 1.0})))
    message = controls.as_message()
    assert message["effect"] == "grade,style"
    assert message["grade.strength"] == 0.4
    assert "style.net" not in message, "which net paints cannot change while a session runs"
    assert Controls().changed(message).effects() == controls.effects()


def test_an_effect_of_the_users_own_can_be_switched_and_none_added():
    dim = Dim()
    controls = Controls.of((dim, TintOptions()))
    assert controls.as_message()["effect"] == "Dim,tint"
    assert controls.changed({"effect": "tint"}).changed({"effect": "Dim"}).effects() == (dim,)
    with pytest.raises(ConfigurationError, match="Unknown effect 'os'"):
        controls.changed({"effect": "os:getcwd"})


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"tint.alpah": 1}, "no control 'tint.alpah'; did you mean 'tint.alpha'"),
        ({"alpha": 1}, "no control 'alpha'"),
        ({"tint.alpha": "1"}, "tint alpha must be a number between 0 and 1, got '1'"),
        ({"tint.alpha": True}, "got True"),
        ({"tint.alpha": 2}, "tint alpha must be a number between 0 and 1, got 2"),
        ({"tint.alpha": float("nan")}, "got nan"),
        ({"effect": "tnit"}, "Unknown effect 'tnit'; did you mean 'tint'"),
        ({"effect": None}, "'effect' takes text"),
        ({"effect": "tint,colorize"}, "comes once and first"),
        ({"tint.palette": "../secret.toml"}, "Unknown palette"),
        ({"style.fixed": "joy"}, "no style 'joy'"),
        ({"tint.region": "face "}, "did you mean 'face'"),
        ({"style.net": "/etc/passwd"}, "no control 'style.net'"),
        ({"colorize.reference": "/etc/passwd"}, "no control 'colorize.reference'"),
        ({"colormap.gradient": "x" * 201}, "up to 200"),
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
    text = ""
    try:
        assert Controls().changed(message).effects() is not None
    except ConfigurationError as error:
        text = str(error)
    assert "\n" not in text
