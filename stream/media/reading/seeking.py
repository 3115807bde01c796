"""Moves an input to a place from which the part that is wanted can be read: before it, and before a key frame."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Final

import av

from .. import probe
from ..packets import demux

Container = av.container.InputContainer

MARGIN_SECONDS: Final = 1
"""How much earlier reading begins: what is heard with a frame may be stored before it."""
UNINDEXED_FORMATS: Final = frozenset({"mpegts", "mpeg"})
"""Formats without an index of key frames: a seek finds a time, and may land after the key frame that leads to it."""
UNINDEXED_MARGIN_SECONDS: Final = 15
"""The same margin for them; key frames are seldom more than ten seconds apart."""


def position(
    container: Container, video: av.VideoStream, after: Fraction, reopen: Callable[[], Container] | None
) -> tuple[Container, bool]:
    """The container, or one opened anew, before all that is shown from ``after`` seconds on, and whether it could seek.

    If not, it is at its start. ``reopen`` opens the input again; ``None`` where that gives something else, so that it
    is trusted to land where it should.
    """
    start = probe.start_of(container)
    margin = UNINDEXED_MARGIN_SECONDS if container.format.name in UNINDEXED_FORMATS else MARGIN_SECONDS
    target = start + after - margin
    if target <= max(start, probe.video_start_of(container, video)):
        return container, True
    place = math.floor(target * av.time_base)
    try:
        container.seek(place)
        if reopen is None:
            return container, True
        if _leads_to(container, video, start + after):
            container.seek(place)
            return container, True
    except (av.FFmpegError, OSError):
        pass
    if reopen is None:
        return container, False
    # FFmpeg may have read on to find the place, or landed beyond it, as in raw streams, HLS and files without an index.
    container.close()
    return reopen(), False


def _leads_to(container: Container, video: av.VideoStream, time: Fraction) -> bool:
    """Whether the next key frame comes no later than ``time``, in seconds of the input's clock."""
    for packet in demux(container, [video]):
        at = packet.dts if packet.dts is not None else packet.pts
        if at is None or at * packet.time_base > time:
            return False
        if packet.is_keyframe:
            return True
    return False
