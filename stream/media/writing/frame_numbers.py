"""Numbers of frames in outputs of a fixed frame rate, which have no other times."""

import math
from fractions import Fraction
from typing import Final

NUMBERED_FORMATS: Final = frozenset({"avi", "yuv4mpegpipe", "mxf", "gxf", "dv"})
"""Containers that hold frames by number, not by time, and begin with the first."""
GAPLESS_FORMATS: Final = NUMBERED_FORMATS - {"avi"}
"""Those of them that cannot leave a number out."""
ROUNDED: Final = Fraction(1, 4)
"""Frames that are moved by more than this part of their duration are a change of the video."""
MOST_SKIPPED: Final = 60_000
"""Numbers in a hole; longer ones are cut: AVI's muxer refuses 65,536, and others would be filled without end."""


class FrameNumbers:
    """Gives each frame the nearest free number at a fixed rate."""

    def __init__(self, rate: Fraction, format_name: str) -> None:
        self.rate = rate
        self.rounded = False
        """Whether a frame was moved noticeably."""
        self.cut = False
        """Whether a hole was cut."""
        self.dropped = 0
        """Frames for which there is no number: the video has more than the rate."""
        self._begins = format_name in NUMBERED_FORMATS
        self._fills = format_name in GAPLESS_FORMATS
        self._free = 0
        """The least number that may be given."""
        self._phase: Fraction | None = None
        """What is subtracted from all: within a frame's time audio may be moved, and the first number is whole then."""

    @property
    def end(self) -> Fraction:
        """Where the last frame ends, in seconds."""
        return self._free / self.rate

    def place(self, seconds: Fraction) -> range | None:
        """The numbers to fill with the frame before, and as their end the number of the frame at ``seconds``.

        Where no frame was before, it is this one itself. ``None`` where it would be late by more than a frame.
        """
        exact, is_first = seconds * self.rate, self._phase is None
        if self._phase is None:
            self._phase = exact % 1 if self._begins else Fraction(0)
        exact -= self._phase
        if exact < self._free - 1:
            self.dropped += 1
            return None
        if exact > self._free + MOST_SKIPPED and self._begins:
            self.cut, self._phase = True, self._phase + exact - (self._free + MOST_SKIPPED)
            exact = Fraction(self._free + MOST_SKIPPED)
        number = max(math.floor(exact + Fraction(1, 2)), self._free)
        self.rounded |= abs(number - exact) > ROUNDED
        free, self._free = self._free, number + 1
        return range(free if self._fills or (is_first and self._begins) else number, number)
