"""What files can do on one operating system and not on another: locks, and flags of ``os.open``."""

import errno
import os
from typing import Final

NO_WAIT: Final = getattr(os, "O_NONBLOCK", 0)
"""Opens a pipe without waiting for its other side. Windows has none of these flags."""
NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)
"""Opens no file that a link leads to."""
FOLDER: Final = getattr(os, "O_DIRECTORY", 0)
"""Opens folders alone."""
RENAMES_OPEN_FILES: Final = os.name != "nt"
"""Whether a file that is open can get another name."""
HAS_OWNERS: Final = hasattr(os, "getuid")
"""Whether files state their owner, and who else may write them."""


def lock(descriptor: int, *, shared: bool = False) -> None:
    """Lock an open file or folder until it is closed, in whatever way its process ends.

    Raises ``BlockingIOError`` where another process holds it, and another ``OSError`` where there are no such locks: on
    some network file systems, and on Windows, whose own locks would keep FFmpeg from writing the file.
    """
    try:
        import fcntl
    except ImportError:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from None
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
