"""The JSON schema of the effects."""

import json

import pytest

from emocolor.effects import EFFECTS
from emocolor.options import options_of
from stream.schema import effects_schema, option_schema


def schema(effect, name):
    (option,) = (one for one in options_of(EFFECTS[effect].options) if one.name == name)
    return option_schema(option)


def test_every_effect_with_every_option():
    found = effects_schema()
    assert [one["name"] for one in found] == list(EFFECTS)
    for one in found:
        declared = options_of(EFFECTS[one["name"]].options)
        assert list(one["schema"]["properties"]) == [option.name for option in declared]
        assert one["description"] == EFFECTS[one["name"]].description
    json.dumps(found, allow_nan=False)


def test_a_number_has_its_bounds_step_and_default():
    assert schema("tint", "alpha") == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "title": "Amount of colour",
        "default": 0.35,
        "description": "Weight of the colour in the blend.",
        "x-live": True,
        "x-step": 0.01,
    }
    assert schema("style", "size")["x-unit"] == "px"
    assert schema("style", "size")["x-live"] is False


def test_choices_are_an_enumeration():
    assert schema("tint", "region")["enum"] == ["frame", "face", "person", "background"]


@pytest.mark.parametrize(
    ("effect", "name", "kind"),
    [("tint", "palette", "string"), ("style", "fixed", ["string", "null"]), ("colormap", "gradient", "string")],
)
def test_what_json_has_no_type_for_is_text(effect, name, kind):
    assert schema(effect, name)["type"] == kind


def test_what_ships_stands_as_examples():
    assert "muted" in schema("tint", "palette")["examples"]
    assert "fast" in schema("style", "net")["examples"]
