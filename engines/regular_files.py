"""Reading files that may be anything: never waiting for a pipe, and never reading more than was agreed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .system_files import NO_WAIT


class NotRegularError(OSError):
    """A pipe would wait, a device never end, and a folder holds no bytes."""


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file, open for reading. Raises ``OSError``, and for what is none ``NotRegularError``."""
    descriptor = os.open(path, os.O_RDONLY | NO_WAIT)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularError(errno.EINVAL, "it is no regular file", str(path))
    with open(descriptor, "rb") as file:
        yield file


def read_bounded(file: BinaryIO, most_bytes: int) -> bytes:
    """What is left in an open file. Raises ``OSError`` where that is more than ``most_bytes``."""
    content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {_in_words(most_bytes)}")
    return content


def read_regular(path: Path, most_bytes: int) -> bytes:
    """A regular file as a whole. Raises ``OSError`` as :func:`open_regular` and :func:`read_bounded` do."""
    with open_regular(path) as file:
        return read_bounded(file, most_bytes)


def _in_words(count: int) -> str:
    return f"{count / 2**20:g} MB" if count >= 2**20 else f"{count / 2**10:g} KB"
