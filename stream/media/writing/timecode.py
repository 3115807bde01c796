"""SMPTE 12M timecodes, ``HH:MM:SS:FF``, with a semicolon or a point before the frames where numbers are dropped."""

import re
from fractions import Fraction
from typing import Final

_TIMECODE: Final = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d+)")
HOURS: Final = 24


def shifted(timecode: str, frames: int, rate: Fraction) -> str | None:
    """The timecode that many frames later, at ``rate`` frames per second; ``None`` for what is no timecode.

    In drop-frame timecode two numbers a minute are left out at 30 frames per second, except every tenth minute, so
    that it keeps up with 29.97.
    """
    match = _TIMECODE.fullmatch(timecode)
    nominal = round(rate)
    if match is None or nominal < 1:
        return None
    hours, minutes, seconds, frame = (int(match[group]) for group in (1, 2, 3, 5))
    dropped = nominal // 15 if match[4] != ":" and nominal % 30 == 0 else 0
    minute = hours * 60 + minutes
    number = (minute * 60 + seconds) * nominal + frame - dropped * (minute - minute // 10) + frames
    ten_minutes = 600 * nominal - 9 * dropped
    tens, rest = divmod(number % (HOURS * 6 * ten_minutes), ten_minutes)
    number = tens * 600 * nominal + rest
    if rest >= 60 * nominal:
        # The first minute of ten is whole, the others lack the dropped numbers at their start.
        number += dropped * (1 + (rest - 60 * nominal) // (60 * nominal - dropped))
    total_seconds, frame = divmod(number, nominal)
    minutes, seconds = divmod(total_seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{match[4]}{frame:0{len(match[5])}}"
