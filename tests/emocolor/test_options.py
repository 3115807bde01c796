"""Options: declared once, checked when they are made and when they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.errors import ConfigurationError, nearest
from emocolor.options import EffectOptions, Options, Spelling, TextForm, load_options, option, options_of


class Paint:
    def __init__(self, name: str) -> None:
        self.name = name


def parse_pair(text: str) -> tuple[float, float]:
    low, high = text.split("-")
    return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class ToyOptions(Options):
    section: ClassVar[str] = "toy"

    level: Annotated[
        float,
        option(
            "How loud.", ge=0, le=1, unit="dB", step=0.1, live=True, cli=Spelling(flag="loudness", aliases=("volume",))
        ),
    ] = 0.5
    count: Annotated[int, option("How many.", gt=0)] = 3
    size: Annotated[float, option("How large.", gt=0)] | None = None
    mode: Annotated[Literal["fast", "fine"], option("Which way.")] = "fast"
    on: Annotated[bool, option("Whether at all.", cli=Spelling(letter="x", short=""))] = False
    paint: Annotated[Paint, option("With what.", text=TextForm(write=lambda paint: paint.name))] = field(
        default_factory=lambda: Paint("red")
    )
    band: Annotated[tuple[float, float], option("From where to where.", text=TextForm(parse=parse_pair))] = (0.0, 1.0)
    mixture: Annotated[Mapping[str, float] | None, option("Parts.")] = None
    history: int = 7
    """No option."""


@dataclass(frozen=True, kw_only=True)
class FreeOptions(Options):
    section: ClassVar[str] = "free"

    shift: Annotated[float, option("How far, either way.")] = 0.0


def declared(name):
    return next(one for one in options_of(ToyOptions) if one.name == name)


def test_options_are_the_declared_fields_in_order():
    names = [one.name for one in options_of(ToyOptions)]
    assert names == ["level", "count", "size", "mode", "on", "paint", "band", "mixture"]


def test_a_declaration_holds_everything():
    level = declared("level")
    assert (level.key, level.default, level.help, level.unit, level.step) == ("toy.level", 0.5, "How loud.", "dB", 0.1)
    assert (level.flag, level.short, level.cli.aliases, level.live) == ("loudness", "loudness", ("volume",), True)
    assert (declared("on").short, declared("on").cli.letter, declared("on").live) == ("", "x", False)
    assert declared("mode").choices == ("fast", "fine")
    assert declared("size").is_optional
    assert not declared("level").is_optional
    assert [declared(name).is_plain for name in ("level", "size", "mode", "band", "paint")] == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"level": 2}, "toy level must be a number between 0 and 1, got 2."),
        ({"level": float("nan")}, "toy level must be a number between 0 and 1, got nan."),
        ({"level": "loud"}, "toy level must be a number between 0 and 1, got 'loud'."),
        ({"level": True}, "toy level must be a number between 0 and 1, got True."),
        ({"count": 0}, "toy count must be a whole number above 0, got 0."),
        ({"count": 2.5}, "toy count must be a whole number above 0, got 2.5."),
        ({"size": -1.0}, "toy size must be a number above 0, got -1.0."),
        ({"mode": "fest"}, "toy mode must be one of fast, fine, got 'fest'; did you mean 'fast'?"),
        ({"mode": "xyz"}, "toy mode must be one of fast, fine, got 'xyz'."),
        ({"on": 1}, "toy on must be true or false, got 1."),
        ({"paint": "red"}, "toy paint must be valid, got 'red'."),
        ({"band": (1.0,)}, "toy band must be valid, got (1.0,)."),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(values, words):
    with pytest.raises(ConfigurationError) as caught:
        ToyOptions(**values)
    assert str(caught.value) == words


def test_a_number_without_bounds_is_a_number_all_the_same():
    with pytest.raises(ConfigurationError, match="free shift must be a number, got nan"):
        FreeOptions(shift=float("nan"))


def test_a_long_value_is_shortened():
    with pytest.raises(ConfigurationError) as caught:
        ToyOptions(mode="m" * 500)
    assert len(str(caught.value)) < 130


def test_numpys_scalars_are_numbers():
    assert ToyOptions(level=np.float64(0.25), count=np.int64(2)).level == 0.25


@given(st.floats(0, 1), st.integers(1, 10**6))
def test_values_within_their_bounds_are_taken(level, count):
    assert (ToyOptions(level=level, count=count).level, ToyOptions(count=count).count) == (level, count)


def test_raw_values_become_options():
    made = load_options(ToyOptions, {"level": 1, "band": "2-4", "size": 3, "paint": "blue"}, {Paint: Paint}, history=9)
    assert (made.level, made.band, made.size, made.paint.name, made.history) == (1.0, (2.0, 4.0), 3.0, "blue", 9)
    assert load_options(ToyOptions, {"band": [2, 4]}).band == (2.0, 4.0)
    assert load_options(ToyOptions, {"mixture": {"happy": 1.0}}).mixture == {"happy": 1.0}


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ConfigurationError, match=r"no option 'lvel' in toy; did you mean 'level'\?"):
        load_options(ToyOptions, {"lvel": 1})


def test_text_is_for_people_and_plain_for_files():
    made = ToyOptions(on=True, paint=Paint("teal"))
    texts = [one.text(getattr(made, one.name)) for one in options_of(ToyOptions)]
    assert texts == ["0.5", "3", "none", "fast", "on", "teal", "(0.0, 1.0)", "none"]
    assert [one.plain(getattr(made, one.name)) for one in options_of(ToyOptions)][5] == "teal"


def test_an_effect_needs_nothing_until_it_says_so():
    options = EffectOptions()
    assert (options.needs, options.weighting, options.follows_faces_alone) == (frozenset(), None, False)
    assert options.for_live() is options


def test_nearest_names_one_or_all():
    assert nearest("tnt", ["tint", "grade"]) == "; did you mean 'tint'?"
    assert nearest("xyz", ["tint", "grade"]) == "; known are tint, grade."
