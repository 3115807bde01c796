"""Effects as words."""

import pytest

from emocolor.effects import ColorizeOptions, ColormapOptions, StyleOptions, TintOptions
from emocolor.errors import ConfigurationError
from stream.effect_chain import EffectSettings, fixed_styles, parse_chain

TINT, COLORMAP = TintOptions(mode="argmax", alpha=0.3), ColormapOptions(strength=0.8)
STYLE = StyleOptions(fixed={"sad": 1.0})
SETTINGS = EffectSettings(tint=TINT, colormap=COLORMAP, colorize=ColorizeOptions(warmth=0.2), style=STYLE)


def test_effects_keep_their_order_and_their_options():
    first, second, third = parse_chain("colormap:hot, tint:0.2,tint", SETTINGS)
    assert isinstance(first, ColormapOptions)
    assert (first.gradient.name, first.strength) == ("hot", 0.8)
    assert (second.alpha, second.mode) == (0.2, "argmax")
    assert third is TINT


def test_effects_take_their_main_option():
    colorize, grade, style = parse_chain("colorize:0.9,grade:0.4,style:0.6", SETTINGS)
    assert (colorize.vividness, colorize.warmth) == (0.9, 0.2)
    assert grade.strength == 0.4
    assert (style.strength, style.fixed) == (0.6, {"sad": 1.0})
    assert parse_chain("style", SETTINGS) == (STYLE,)


def test_none_is_no_effect():
    assert parse_chain("none", SETTINGS) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tnt", "Unknown effect 'tnt'; did you mean 'tint'"),
        ("", "Unknown effect ''; known are tint, colormap, colorize, grade, style, none"),
        ("tint,colorize", "comes once and first"),
        ("colorize,colorize", "comes once and first"),
        ("colorize:2", "vividness must lie between 0 and 1"),
        ("tint,,colormap", "Unknown effect ''"),
        ("tint,none", "'none' stands alone"),
        ("tint:", "lacks what should follow the colon"),
        ("tint:strong", "'tint:strong': 'strong' is no number"),
        ("tint:nan", "alpha must lie between 0 and 1, got nan"),
        ("style:2", "style's strength must lie between 0 and 1, got 2"),
        ("style:much", "'much' is no number"),
        ("colormap:turbow", "did you mean 'turbo'"),
        ("colormap:#00-#fff", "'#00' is no colour"),
    ],
)
def test_what_is_wrong_is_named(text, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_chain(text, SETTINGS)


def test_styles_are_fixed_by_name_or_by_parts():
    assert fixed_styles(None, None) is None
    assert fixed_styles("happy", None) == {"happy": 1.0}
    assert fixed_styles(None, "happy=0.7, sad = .3") == {"happy": 0.7, "sad": 0.3}


@pytest.mark.parametrize(
    ("style", "mix", "words"),
    [
        ("happy", "sad=1", "pass one of them"),
        (None, "", "'' is no part of a mixture; write EMOTION=PART"),
        (None, "happy", "'happy' is no part of a mixture"),
        (None, "happy=1,", "'' is no part of a mixture"),
        (None, "happy=1,happy=2", "names happy twice"),
        (None, "happy=", "part of style 'happy' must be a number from 0 up, got ''"),
        (None, "happy=much", "got 'much'"),
    ],
)
def test_what_is_no_mixture_of_styles_is_named(style, mix, words):
    with pytest.raises(ConfigurationError, match=words):
        fixed_styles(style, mix)
