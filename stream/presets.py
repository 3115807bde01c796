"""Presets: options as TOML files, found by name among those that ship, or by path.

A preset holds raw values as :mod:`stream.settings` has them, and a line that describes it::

    description = "Faces keep their colours; the background follows the emotion."
    effect = "tint"

    [tint]
    region = "background"
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomli_w

from emocolor.effects import EFFECTS
from emocolor.effects.chain import names_in
from emocolor.errors import ConfigurationError
from emocolor.options import Option, Options, options_of

from .config_files import read_toml, shipped_names
from .files.output_file import write_whole
from .settings import DEFAULT_CHAIN, RawValues, chain_of, check_names

DESCRIPTION: Final = "description"
_FILE_ENDINGS: Final = (".toml", ".onnx", ".png", ".jpg", ".jpeg", ".webp")
"""Values that end so are paths, and relative to the preset's folder."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A named set of raw values."""

    name: str
    description: str
    values: dict[str, Any]


def preset_names() -> list[str]:
    """The presets that ship."""
    return shipped_names("preset")


def read_preset(name_or_path: str) -> Preset:
    """A shipped preset by name, or any TOML file of the same form by path.

    Raises ``ConfigurationError`` with the nearest known name, or with what is wrong in the file.
    """
    path, table = read_toml("preset", name_or_path)
    try:
        return _parse(path, table)
    except ConfigurationError as error:
        raise ConfigurationError(f"Preset {path.stem}: {error}") from None


def write_preset(path: Path, values: RawValues, groups: Iterable[type[Options]], *, overwrite: bool) -> None:
    """Write every option of the groups and of the chain's effects, so that the file means the same later.

    Raises ``ConfigurationError`` for another ending than .toml, and ``SinkError`` where the file cannot be written.
    """
    if path.suffix != ".toml":
        raise ConfigurationError(f"Presets are TOML files; name it {path.with_suffix('.toml')}.")
    text = tomli_w.dumps({DESCRIPTION: "", **complete(values, groups)})
    write_whole(path, text.encode(), overwrite=overwrite)


def complete(values: RawValues, groups: Iterable[type[Options]]) -> dict[str, Any]:
    """Raw values with the defaults of all options that are not given; those that are ``None`` are left out."""
    chain = values.get("effect", DEFAULT_CHAIN)
    effects = [EFFECTS[name].options for name in names_in(chain)]
    found: dict[str, Any] = {"effect": chain}
    for group in (*groups, *effects):
        own = _complete(group, values.get(group.section, {}) if group.section else values)
        found |= {group.section: own} if group.section else own
    return found


def _complete(group: type[Options], values: Mapping[str, Any]) -> dict[str, Any]:
    found = {one.name: values[one.name] if one.name in values else _default(one) for one in options_of(group)}
    return {name: value for name, value in found.items() if value is not None}


def _default(option: Option) -> Any:
    return option.plain(option.default)


def _parse(path: Path, table: dict[str, Any]) -> Preset:
    values = dict(table)
    description = values.pop(DESCRIPTION, "")
    if not isinstance(description, str):
        raise ConfigurationError("the description must be text.")
    check_names(values)
    values = _with_paths(values, path.parent)
    chain = values.get("effect", DEFAULT_CHAIN)
    if not isinstance(chain, str):
        raise ConfigurationError("effect must be text, such as 'colorize,grade:0.6'.")
    idle = [name for name in EFFECTS if name in values and name not in names_in(chain)]
    if idle:
        raise ConfigurationError(f"it has options for {idle[0]}, which is not in its chain '{chain}'.")
    chain_of(values)
    return Preset(name=path.stem, description=description, values=values)


def _with_paths(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """File names relative to the preset's folder as paths that hold from anywhere."""
    return {name: _with_path(value, folder) for name, value in values.items()}


def _with_path(value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        return _with_paths(value, folder)
    is_path = isinstance(value, str) and value.endswith(_FILE_ENDINGS)
    return str(folder / value) if is_path and os.path.exists(folder / value) else value
