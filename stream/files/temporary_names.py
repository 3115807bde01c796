"""Hidden temporary names beside an output's place, locked while their process lives.

The system releases the lock however a process ends, so that the next one which writes the same output tells what was
left behind, and removes it.
"""

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from emocolor.errors import SinkError
from engines.system_files import FOLDER, NO_LINKS, NO_WAIT, lock

MAX_NAME_BYTES: Final = 255
FOLDER_LOCK_LIMIT_S: Final = 2.0
FOLDER_LOCK_INTERVAL_S: Final = 0.02
"""Between two attempts: ``flock`` can wait, but not with a time limit."""


def reserve(place: Path, make: Callable[[Path], int], *, alone: bool) -> tuple[Path, int]:
    """A new temporary file for ``place``, made by ``make``, and the descriptor that locks it.

    What processes that are gone have left of the same output is removed. Raises ``SinkError`` where the folder cannot
    be written to, and, if this is to be ``alone``, where another job writes the same output.
    """
    with _folder_lock(place.parent):
        if _clear_leftovers(place) and alone:
            raise SinkError(f"Another job is writing {place.name} now. Wait for it, or give another name.")
        part = temporary_name(place)
        try:
            descriptor = make(part)
        except OSError as error:
            raise SinkError(not_writable(place.parent, error)) from error
        with contextlib.suppress(OSError):  # a file system without locks
            lock(descriptor)
    return part, descriptor


def temporary_name(place: Path) -> Path:
    """A new hidden name beside ``place``, at most as long as names may be."""
    return place.with_name(f"{_part_prefix(place)}{secrets.token_hex(4)}.part")


def not_writable(folder: Path, error: OSError) -> str:
    """The message for a folder in which no file can be made."""
    return f"The folder {folder} cannot be written to: {error.strerror}. Check its permissions, or write elsewhere."


def _part_prefix(place: Path) -> str:
    """The beginning of all temporary names for this place; a name that is too long is cut, and told by its hash."""
    name, room = os.fsencode(place.name), MAX_NAME_BYTES - len("..01234567.part")
    if len(name) <= room:
        return f".{place.name}."
    digest = hashlib.sha256(name).hexdigest()[:8]
    return f".{name[: room - len(digest) - 1].decode(errors='ignore')}~{digest}."


def _clear_leftovers(place: Path) -> bool:
    """Remove temporary files of this output whose process is gone; whether there are others."""
    pattern = re.compile(re.escape(_part_prefix(place)) + r"[0-9a-f]+\.part")
    alive = False
    with contextlib.suppress(OSError), os.scandir(place.parent) as entries:
        for path in [Path(entry.path) for entry in entries if pattern.fullmatch(entry.name)]:
            alive = not _remove_unlocked(path) or alive
    return alive


def _remove_unlocked(path: Path) -> bool:
    """Remove a temporary file or folder that nobody locks; whether it was not locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_LINKS | NO_WAIT)
    except OSError:
        return True
    try:
        lock(descriptor)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    except OSError:  # no locks here, or another user's file
        return True
    finally:
        os.close(descriptor)
    return True


@contextlib.contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """Hold the folder, so that two jobs do not look for each other at once; after the limit go on without."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | FOLDER)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + FOLDER_LOCK_LIMIT_S
        while not _try_lock(descriptor) and time.monotonic() < deadline:
            time.sleep(FOLDER_LOCK_INTERVAL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock it, or learn that another process does; where there are no locks there is nothing to wait for."""
    try:
        lock(descriptor)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def make_folder(path: Path) -> int:
    path.mkdir(0o700)
    return os.open(path, os.O_RDONLY | FOLDER) if FOLDER else -1
