"""Recipes as TOML files that override the defaults of a dataclass."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from emocolor.errors import ConfigurationError, nearest

Recipe = TypeVar("Recipe")


def read_recipe(kind: type[Recipe], path: Path | None) -> Recipe:
    """A ``kind`` from a TOML file, or its defaults for None; raises ``ConfigurationError`` naming what is wrong."""
    if path is None:
        return kind()
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error
    return recipe_from(kind, table, path)


def recipe_from(kind: type[Recipe], table: Mapping[str, Any], path: Path) -> Recipe:
    """A ``kind`` from TOML values; tables become the dataclasses of its fields. ``path`` is for messages.

    An integer is accepted for a float, and lists become tuples; nothing else is converted.
    """
    hints = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if unknown := sorted(table.keys() - set(known)):
        raise ConfigurationError(f"{path}: unknown key '{unknown[0]}'{nearest(unknown[0], known)}")
    return kind(**{key: _value(hints[key], key, value, path) for key, value in table.items()})


def _value(wanted: Any, key: str, value: Any, path: Path) -> Any:
    if is_dataclass(wanted) and isinstance(wanted, type) and isinstance(value, dict):
        return recipe_from(wanted, value, path)
    listed = get_origin(wanted) is tuple or (isinstance(wanted, type) and issubclass(wanted, tuple))
    accepted = list if listed else (float, int) if wanted is float else wanted
    if isinstance(accepted, type | tuple):
        truth_value = isinstance(value, bool) and wanted is not bool
        if truth_value or not isinstance(value, accepted):
            raise ConfigurationError(f"{path}: {key} cannot be {value!r}.")
    if not listed:
        return value
    try:
        return wanted(*value) if hasattr(wanted, "_fields") else tuple(value)
    except TypeError:
        raise ConfigurationError(f"{path}: {key} cannot be {value!r}.") from None
