"""Effects as words."""

import pytest

from emocolor.effects import ColorizeOptions, ColormapOptions, TintOptions
from emocolor.errors import ConfigurationError
from stream.effect_chain import EffectSettings, parse_chain

TINT, COLORMAP = TintOptions(mode="argmax", alpha=0.3), ColormapOptions(strength=0.8)
SETTINGS = EffectSettings(tint=TINT, colormap=COLORMAP, colorize=ColorizeOptions(warmth=0.2))


def test_effects_keep_their_order_and_their_options():
    first, second, third = parse_chain("colormap:hot, tint:0.2,tint", SETTINGS)
    assert isinstance(first, ColormapOptions)
    assert (first.gradient.name, first.strength) == ("hot", 0.8)
    assert (second.alpha, second.mode) == (0.2, "argmax")
    assert third is TINT


def test_colorize_and_grade_take_their_main_option():
    colorize, grade = parse_chain("colorize:0.9,grade:0.4", SETTINGS)
    assert (colorize.vividness, colorize.warmth) == (0.9, 0.2)
    assert grade.strength == 0.4


def test_none_is_no_effect():
    assert parse_chain("none", SETTINGS) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tnt", "Unknown effect 'tnt'; did you mean 'tint'"),
        ("", "Unknown effect ''; known are tint, colormap, colorize, grade, none"),
        ("tint,colorize", "comes once and first"),
        ("colorize,colorize", "comes once and first"),
        ("colorize:2", "vividness must lie between 0 and 1"),
        ("tint,,colormap", "Unknown effect ''"),
        ("tint,none", "'none' stands alone"),
        ("tint:", "lacks what should follow the colon"),
        ("tint:strong", "'tint:strong': 'strong' is no number"),
        ("tint:nan", "alpha must lie between 0 and 1, got nan"),
        ("colormap:turbow", "did you mean 'turbo'"),
        ("colormap:#00-#fff", "'#00' is no colour"),
    ],
)
def test_what_is_wrong_is_named(text, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_chain(text, SETTINGS)
