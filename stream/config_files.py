"""Configuration that ships as files, and palettes among it: found by name, or by path."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from emocolor.errors import ConfigurationError, nearest
from emocolor.palettes import Palette, parse_palette

from .bounded_toml import MOST_BYTES, parse_bounded

Kind = Literal["palette", "preset"]


def palette_names() -> list[str]:
    """The palettes that ship."""
    return shipped_names("palette")


def read_palette(name_or_path: str) -> Palette:
    """A shipped palette by name, or any TOML file of the same form by path; raises as :func:`read_toml`."""
    path, table = read_toml("palette", name_or_path)
    return parse_palette(path.stem, table)


def read_toml(kind: Kind, name_or_path: str) -> tuple[Path, dict[str, Any]]:
    """The file that ships under this name, or the one at this path, and what it holds.

    Raises ``ConfigurationError`` with the nearest known name, or with what is wrong in the file, which may also be that
    it is larger or deeper than any such file needs to be.
    """
    by_path = name_or_path.endswith(".toml") or "/" in name_or_path
    path = Path(name_or_path) if by_path else shipped_folder(kind) / f"{name_or_path}.toml"
    try:
        with path.open("rb") as file:  # a pipe is fine: it may come from another command
            return path, parse_bounded(file.read(MOST_BYTES + 1))
    except FileNotFoundError:
        hint = nearest(name_or_path, shipped_names(kind)) + " A file is named by a path that ends in .toml."
        raise ConfigurationError(f"No {kind} '{name_or_path}'{'.' if by_path else hint}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"The {kind} {path} is not valid TOML: {error}.") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"Cannot read the {kind} {path}: {error}.") from error


def shipped_names(kind: Kind) -> list[str]:
    """Names of the files of this kind that ship."""
    return sorted(path.stem for path in shipped_folder(kind).glob("*.toml"))


def shipped_folder(kind: Kind) -> Path:
    """Where files of this kind lie: in the package where it is installed, at the top level of a checkout."""
    installed = Path(__file__).parent / "data" / f"{kind}s"
    return installed if installed.is_dir() else Path(__file__).parents[1] / "configs" / f"{kind}s"
