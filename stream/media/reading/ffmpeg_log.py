"""What FFmpeg writes to its log, for what it tells nowhere else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import av

_LEVEL: Final = threading.Lock()
"""The level of FFmpeg's log belongs to the whole process."""


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
            av.logging.set_level(before)
            av.logging.set_skip_repeated(skips)
            texts.extend(message for _, _, message in logs)
