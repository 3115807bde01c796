"""Chains of effects, as text and as options."""

import sys

import pytest

from emocolor.effects import ColorizeOptions, ColormapOptions, GradeOptions, StyleOptions, TintOptions, parse_chain
from emocolor.effects.chain import OWN_EFFECT_NEEDS, check_chain, names_in, needs_of, needs_of_all, temporal_of
from emocolor.errors import ConfigurationError

VALUES = {
    "tint": {"mode": "argmax", "alpha": 0.3},
    "colormap": {"strength": 0.8},
    "colorize": {"warmth": 0.2},
    "style": {"fixed": "sad"},
}


class Own:
    def apply(self, frame, scene):
        return frame


class Demanding(Own):
    needs = frozenset({"people"})


def test_effects_keep_their_order_and_their_options():
    first, second, third = parse_chain("colormap:hot, tint:0.2,tint", VALUES)
    assert isinstance(first, ColormapOptions)
    assert (first.gradient.name, first.strength) == ("hot", 0.8)
    assert (second.alpha, second.mode) == (0.2, "argmax")
    assert (third.alpha, third.mode) == (0.3, "argmax")


def test_effects_take_their_main_option():
    colorize, grade, style = parse_chain("colorize:0.9,grade:0.4,style:0.6", VALUES)
    assert (colorize.vividness, colorize.warmth) == (0.9, 0.2)
    assert grade.strength == 0.4
    assert (style.strength, style.fixed) == (0.6, {"sad": 1.0})
    assert parse_chain("style", VALUES) == (StyleOptions(fixed={"sad": 1.0}),)


def test_none_is_no_effect():
    assert parse_chain("none") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tnt", "Unknown effect 'tnt'; did you mean 'tint'"),
        ("", "Unknown effect ''; known are tint, grade, style, colormap, colorize, overlay, none"),
        ("tint,colorize", "comes once and first"),
        ("colorize,colorize", "comes once and first"),
        ("colorize:2", "colorize vividness must be a number between 0 and 1"),
        ("tint,,colormap", "Unknown effect ''"),
        ("tint,none", "'none' stands alone"),
        ("tint:", "lacks what should follow the colon"),
        ("tint:strong", "'tint:strong': 'strong' is no number"),
        ("tint:nan", "tint alpha must be a number between 0 and 1, got nan"),
        ("style:2", "style strength must be a number between 0 and 1, got 2"),
        ("overlay:1", "takes no value"),
        ("colormap:turbow", "did you mean 'turbo'"),
        ("colormap:#00-#fff", "'#00' is not a colour"),
        ("mine:Own", "Unknown effect 'mine'"),
    ],
)
def test_what_is_wrong_is_named(text, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_chain(text)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module on the import path with custom effects."""
    (tmp_path / "mine_of_a_test.py").write_text(
        "class Dim:\n    def apply(self, frame, scene):\n        return frame\n"
        "class Wants:\n    def __init__(self, strength):\n        pass\n"
        "class Idle:\n    pass\n"
        "class Fails:\n    def __init__(self):\n        len(3)\n"
    )
    (tmp_path / "broken_of_a_test.py").write_text("1 = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "mine_of_a_test"
    sys.modules.pop("mine_of_a_test", None)


def test_an_effect_of_the_users_own_stands_in_a_chain(mine):
    dim, tint = parse_chain(f"{mine}:Dim,tint:.2", allow_imports=True)
    assert type(dim).__name__ == "Dim"
    assert tint.alpha == 0.2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("{mine}:Dum", "no attribute 'Dum'"),
        ("no_such_module:Dim", "No module named 'no_such_module'.*import path"),
        ("{mine}:Wants", "cannot be made without arguments"),
        ("{mine}:Fails", "cannot be made: TypeError: object of type 'int' has no len"),
        ("broken_of_a_test:Dim", "broken_of_a_test fails: SyntaxError: cannot assign"),
        ("{mine}:Idle", r"no method apply\(frame, scene\)"),
    ],
)
def test_an_own_effect_that_cannot_be_used_is_named(mine, name, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        parse_chain(name.format(mine=mine), allow_imports=True)
    assert "\n" not in str(caught.value)


def test_nothing_is_imported_for_text_from_others(mine):
    with pytest.raises(ConfigurationError, match="Unknown effect"):
        parse_chain(f"{mine}:Dim")
    assert mine not in sys.modules


def test_names_are_those_of_the_table_each_once():
    assert names_in("colorize,tint:.2,mine:Own,tint") == ["colorize", "tint"]
    assert names_in("none") == []


def test_a_chain_needs_what_its_effects_need():
    assert needs_of(Own()) == OWN_EFFECT_NEEDS
    assert needs_of(Demanding()) == {"people"}
    assert needs_of_all([ColormapOptions(), Demanding()]) == {"chroma", "people"}
    assert "faces" not in needs_of_all([StyleOptions(fixed={"sad": 1}), ColorizeOptions()])
    assert needs_of_all([TintOptions(region="person")]) == {"faces", "people", "chroma"}
    assert needs_of_all(()) == frozenset()


def test_a_temporal_effect_comes_first():
    found = temporal_of((ColorizeOptions(), GradeOptions()))
    assert found is not None
    assert found[0] == ColorizeOptions()
    assert temporal_of((GradeOptions(),)) is None
    assert temporal_of((Own(),)) is None
    assert temporal_of(()) is None
    with pytest.raises(ConfigurationError, match="first"):
        check_chain((Own(), ColorizeOptions()))
