"""Keeps encoders from taking real-time priority.

SVT-AV1 gives its threads, and the process's first one, the highest real-time priority where root runs it, and nothing
else on the machine gets its turn while they work.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

TASKS: Final = Path("/proc/self/task")
"""Where Linux lists the threads of this process."""


@contextlib.contextmanager
def ordinary_priority() -> Iterator[None]:
    """Threads that become real-time ones while the block runs are made ordinary again when it ends."""
    before = _real_time_threads()
    try:
        yield
    finally:
        for thread in _real_time_threads() - before:
            with contextlib.suppress(OSError):  # it has ended
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _real_time_threads() -> set[int]:
    """The threads of this process with real-time priority; none where the system has no list of threads."""
    found = set()
    with contextlib.suppress(OSError):
        for thread in (int(entry.name) for entry in TASKS.iterdir()):
            with contextlib.suppress(OSError):
                if os.sched_getscheduler(thread) in (os.SCHED_FIFO, os.SCHED_RR):
                    found.add(thread)
    return found
