"""Configuration that ships as files, and palettes among it: found by name, or by path."""

import tomllib
from pathlib import Path

from emocolor.errors import ConfigurationError, nearest
from emocolor.palettes import Palette, parse_palette


def palette_names() -> list[str]:
    """The palettes that ship."""
    return sorted(path.stem for path in shipped_folder("palettes").glob("*.toml"))


def read_palette(name_or_path: str) -> Palette:
    """A shipped palette by name, or any TOML file of the same form by path.

    Raises ``ConfigurationError`` with the nearest known name, or with what is wrong in the file.
    """
    by_path = name_or_path.endswith(".toml") or "/" in name_or_path
    path = Path(name_or_path) if by_path else shipped_folder("palettes") / f"{name_or_path}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        hint = (
            "."
            if by_path
            else nearest(name_or_path, palette_names()) + " A file is named by a path that ends in .toml."
        )
        raise ConfigurationError(f"No palette '{name_or_path}'{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"Cannot read the palette {path}: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The palette {path} is not valid TOML: {error}.") from error
    return parse_palette(path.stem, table)


def shipped_folder(kind: str) -> Path:
    """Where ``palettes`` or ``presets`` lie: in the package where it is installed, at the top level of a checkout."""
    installed = Path(__file__).parent / "data" / kind
    return installed if installed.is_dir() else Path(__file__).parents[1] / "configs" / kind
