"""Where an output may go, checked before anything is made."""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from emocolor.errors import SinkError

from .temporary_names import not_writable, temporary_name

DESCRIPTOR: Final = re.compile(r"/dev/(stdout|stderr|fd/\d+)|/proc/self/fd/\d+")
"""Names of what this process has open already."""


def check_place(path: Path, *, overwrite: bool, inputs: Sequence[Path] = ()) -> os.stat_result | None:
    """What lies at the place, if anything. Raises ``SinkError`` where it cannot or must not be written to."""
    if DESCRIPTOR.fullmatch(str(path)):
        return status_of(path)
    check_folder(path)
    there = status_of(path)
    if there is None or stat.S_ISFIFO(there.st_mode) or stat.S_ISCHR(there.st_mode):
        return there
    if stat.S_ISSOCK(there.st_mode):
        raise SinkError(f"The output {path} is a socket. Name a file.")
    if identity_of(there) in identities_of(inputs):
        raise SinkError(f"The output {path} is the input itself. Give it another name.")
    if not overwrite:
        raise SinkError(f"{path} exists. The option output.overwrite replaces it.")
    if not os.access(path, os.W_OK):
        raise SinkError(f"{path} is protected against writing. Change its permissions, or give another name.")
    return there


def check_distinct(paths: Sequence[Path | None]) -> None:
    """Raises ``SinkError`` where two outputs have the same place."""
    places = [os.path.realpath(path) for path in paths if path is not None]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise SinkError(f"Two outputs have the same name, {twice}. Give one of them another.")


def check_folder(path: Path) -> None:
    """Raises ``SinkError`` where ``path`` is a folder, or does not lie in one, links followed."""
    if os.path.isdir(path):  # unlike the method, it takes names that are too long
        raise SinkError(f"The output {path} is a folder. Name a file.")
    folder = Path(os.path.realpath(path)).parent if os.path.islink(path) else path.parent
    if not os.path.isdir(folder):
        raise SinkError(f"The folder {folder} does not exist. Make it first, or write elsewhere.")


def check_writable(path: Path) -> None:
    """Make and remove a file beside ``path``, since permissions alone do not reveal a read-only disk.

    Raises ``SinkError``.
    """
    if os.path.exists(path):
        return
    probe = temporary_name(path)
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SinkError(not_writable(path.parent, error)) from error


def is_stream(path: Path, there: os.stat_result | None) -> bool:
    """Whether the place is a pipe, a device or an open descriptor, and not a file that could be renamed."""
    return there is not None and (not stat.S_ISREG(there.st_mode) or DESCRIPTOR.fullmatch(str(path)) is not None)


def status_of(path: Path) -> os.stat_result | None:
    """Of what the path leads to; ``None`` where there is nothing. Raises ``SinkError`` for an impossible path."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SinkError(f"{path} cannot be used: {error.strerror}. Choose another name.") from error


def identity_of(found: os.stat_result) -> tuple[int, int]:
    """The same for all names of a file: links, other spellings, other case."""
    return found.st_dev, found.st_ino


def identities_of(paths: Sequence[Path]) -> set[tuple[int, int]]:
    """Of those paths that lead to something."""
    return {identity_of(path.stat()) for path in paths if os.path.exists(path)}
