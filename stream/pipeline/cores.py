"""How many cores of the CPU, and how much memory, this process may use."""

import contextlib
import os
from pathlib import Path
from typing import Final

GROUP: Final = Path("/sys/fs/cgroup")
"""Where Linux tells the limits of the container that this process runs in."""


def usable_cores() -> int:
    """Cores that this process may run on, at least 1: fewer than the machine's where it was confined to some."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def usable_memory(group: Path = GROUP, memory_info: Path = Path("/proc/meminfo")) -> int:
    """Bytes that are free for this process and those that it starts, or that the machine has if it tells no more."""
    free = _available(memory_info)
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        limit, used = (int((group / name).read_text()) for name in ("memory.max", "memory.current"))
        return max(0, min(free, limit - used + _cached(group)))
    return free


def _cached(group: Path) -> int:
    """Bytes of files that count as used, and make way for whoever needs memory."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        stated = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return int(stated["inactive_file"])
    return 0


def _available(memory_info: Path) -> int:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = memory_info.read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
