"""What FFmpeg writes to its log, for what it tells nowhere else."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import av

_LEVEL: Final = threading.Lock()
"""The level of FFmpeg's log belongs to the whole process."""
SETTLING_SECONDS: Final = 0.002
"""So long other threads may take for a message before the log is closed."""


@contextmanager
def recorded_log(level: int) -> Iterator[list[str]]:
    """Collect the messages up to FFmpeg's ``level`` while the block runs; those of other threads are among them."""
    texts: list[str] = []
    with _LEVEL, av.logging.Capture(local=False) as logs:
        before, skips = av.logging.get_level(), av.logging.get_skip_repeated()
        av.logging.set_skip_repeated(False)  # PyAV compares with the last message of earlier blocks too
        av.logging.set_level(level)
        try:
            yield texts
        finally:
            if before is None:
                # A message that another thread has begun is compared with the level, which must not be None by then.
                av.logging.set_level(av.logging.PANIC)
                time.sleep(SETTLING_SECONDS)
            av.logging.set_level(before)
            av.logging.set_skip_repeated(skips)
            texts.extend(message for _, _, message in logs)
