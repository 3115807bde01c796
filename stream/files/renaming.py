"""Gives a whole file its name: without replacing anything, or so that what was replaced can be put back."""

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engines.system_files import FOLDER, HAS_OWNERS

from .temporary_names import temporary_name

MAX_OTHER_NAMES: Final = 1000


@dataclass(frozen=True)
class Renamed:
    """A file that has its name, with what is needed to undo that."""

    part: Path
    """Its name before."""
    place: Path
    replaced: Path | None = None
    """A second name of the file that was at the place."""

    def undo(self) -> None:
        """Put everything back, as far as that is possible."""
        with contextlib.suppress(OSError):
            os.rename(self.place, self.part)
            if self.replaced is not None:
                os.rename(self.replaced, self.place)

    def settle(self) -> None:
        """Give up what was replaced."""
        if self.replaced is not None:
            with contextlib.suppress(OSError):
                self.replaced.unlink()


def rename(part: Path, place: Path, *, overwrite: bool) -> Renamed:
    """Give a whole file its name; a regular file is replaced where that is allowed, and its mode and owner are kept.

    Raises ``FileExistsError`` where the name is taken, and other ``OSError``; then nothing has changed.
    """
    there = place.lstat() if os.path.lexists(place) else None
    if there is None or not (overwrite and stat.S_ISREG(there.st_mode)):
        _rename_without_replacing(part, place)
        return Renamed(part, place)
    _take_mode_and_owner(part, there)
    renamed = Renamed(part, place, _second_name(place))
    try:
        os.replace(part, place)
    except OSError:
        renamed.settle()
        raise
    return renamed


def rename_aside(part: Path, place: Path) -> Renamed:
    """Keep a whole file under the first free name like that of ``place``. Raises ``OSError``."""
    for number in range(1, MAX_OTHER_NAMES):
        other = place.with_name(f"{place.stem}.{number}{place.suffix}")
        with contextlib.suppress(FileExistsError):
            _rename_without_replacing(part, other)
            return Renamed(part, other)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))


def move_folder_aside(part: Path, place: Path) -> Path:
    """Keep a folder of whole files under the first free name like that of ``place``. Raises ``OSError``."""
    stem = place.stem.replace("%", "")
    for number in range(1, MAX_OTHER_NAMES):
        other = place.with_name(f"{stem}.{number}")
        if not os.path.lexists(other):
            os.rename(part, other)
            return other
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))


def sync_folder(folder: Path) -> None:
    """Let the new names survive a power failure, where the file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | FOLDER)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _rename_without_replacing(part: Path, place: Path) -> None:
    try:
        os.link(part, place)  # unlike a renaming, this fails where the name is taken
    except FileExistsError as error:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place)) from error
    except OSError:  # a file system without hard links
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(part, place)
        return
    part.unlink()


def _second_name(place: Path) -> Path | None:
    """A hidden name for the file at the place, from which it can be put back."""
    other = temporary_name(place)
    try:
        os.link(place, other)
    except OSError:  # a file system without hard links: this replacement cannot be undone
        return None
    return other


def _take_mode_and_owner(part: Path, there: os.stat_result) -> None:
    if HAS_OWNERS:
        with contextlib.suppress(OSError):  # only root may give files away
            os.chown(part, there.st_uid, there.st_gid)
    with contextlib.suppress(OSError):
        part.chmod(stat.S_IMODE(there.st_mode))
