"""How many cores of the CPU this process may use."""

import os


def usable_cores() -> int:
    """Cores that this process may run on, at least 1: fewer than the machine's where it was confined to some."""
    if hasattr(os, "sched_getaffinity"):  # Linux alone has it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
