"""The declared options as JSON schema, for the page's form and for other clients."""

from typing import Any

import msgspec

from emocolor.effects import EFFECTS
from emocolor.options import Option, options_of

from .settings import CATALOGS


def effects_schema() -> list[dict[str, Any]]:
    """Every effect: its name, description, main option, and the schema of its options.

    The schema of an option is JSON Schema's, with ``default``, and three members of our own: ``x-live``, whether it may
    change while a session runs; ``x-step``, of a slider; and ``x-unit``.
    """
    return [
        {
            "name": name,
            "description": entry.description,
            "main": entry.main,
            "schema": {
                "type": "object",
                "properties": {option.name: option_schema(option) for option in options_of(entry.options)},
            },
        }
        for name, entry in EFFECTS.items()
    ]


def option_schema(option: Option) -> dict[str, Any]:
    """One option as JSON schema."""
    schema = _type_schema(option)
    schema |= {
        "title": option.label,
        "description": option.help,
        "default": option.plain(option.default),
        "x-live": option.live,
    }
    if option.step is not None:
        schema["x-step"] = option.step
    if option.unit:
        schema["x-unit"] = option.unit
    return schema


def _type_schema(option: Option) -> dict[str, Any]:
    if option.is_plain:
        found: dict[str, Any] = msgspec.json.schema(option.type)
        if option.choices:
            found["enum"] = list(option.choices)  # in the order of the declaration
    else:
        found = {"type": ["string", "null"] if option.is_optional else "string"}
    if option.catalog is not None:
        found["examples"] = list(CATALOGS[option.catalog]())
    elif option.suggestions:
        found["examples"] = list(option.suggestions)
    return found
