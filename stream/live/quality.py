"""How much work a live video gets, and the controller that keeps it within its latency budget."""

import math
from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What one frame may cost."""

    rate_hz: float
    """Maximum of face analyses per second."""
    passes: int
    """Monte Carlo dropout passes, T."""
    net: str
    """The emotion net."""
    scale: float
    """Size of the frame that effects work on, relative to the one that came in."""


LEVELS: Final = (
    Quality(rate_hz=8, passes=10, net="ours", scale=1.0),
    Quality(rate_hz=5, passes=10, net="ours", scale=1.0),
    Quality(rate_hz=5, passes=4, net="ours", scale=1.0),
    Quality(rate_hz=4, passes=4, net="tiny", scale=1.0),
    Quality(rate_hz=3, passes=4, net="tiny", scale=0.75),
    Quality(rate_hz=2, passes=0, net="tiny", scale=0.5),
)
"""From the best to the cheapest: faces are analysed less often, then with fewer passes, then by a smaller net; the
frame itself is the last to suffer."""


def levels_for(net: str, rate_hz: float, passes: int) -> tuple[Quality, ...]:
    """``LEVELS`` starting with what was asked for: no level exceeds it. A rate of 0 means every frame."""
    best = LEVELS[0]
    asked_rate = rate_hz or math.inf
    return tuple(
        replace(
            level,
            net=net if level.net == best.net else level.net,
            rate_hz=asked_rate if level is best else min(level.rate_hz, asked_rate),
            passes=passes if level is best else min(level.passes, passes),
        )
        for level in LEVELS
    )


@dataclass(frozen=True, kw_only=True)
class ControllerOptions:
    """When quality changes."""

    budget_s: float = 0.120
    """Latency that the program may add."""
    relief: float = 0.6
    """Quality rises again where latency is below this fraction of the budget."""
    patience_down_s: float = 1.0
    """How long latency must be above the budget."""
    patience_up_s: float = 5.0
    """How long it must be below the relief; doubled each time that a rise did not last,"""
    max_patience_up_s: float = 80.0
    """and at most this long."""

    def __post_init__(self) -> None:
        if not (self.budget_s > 0 and 0 < self.relief < 1):
            raise ValueError(f"the budget must be above 0 s and the relief between 0 and 1, got {self}")


class QualityController:
    """Steps through ``LEVELS`` by measured latency, with hysteresis.

    Times are passed in. It steps down soon and up with growing caution: a rise that is taken back soon doubles the wait
    before the next one.
    """

    def __init__(self, options: ControllerOptions | None = None, levels: int = len(LEVELS)) -> None:
        self._options = options or ControllerOptions()
        self._last = levels - 1
        self._wait_up = self._options.patience_up_s
        self._since: float | None = None
        self._rising = False
        self._rose_at: float | None = None
        self.level = 0

    def update(self, now: float, latency_s: float) -> bool:
        """Take the latency of a frame, or a percentile over the latest ones: whether the level changed."""
        options = self._options
        above, below = latency_s > options.budget_s, latency_s < options.relief * options.budget_s
        if not (above and self.level < self._last) and not (below and self.level > 0):
            self._since = None
            return False
        if self._since is None or self._rising != below:
            self._since, self._rising = now, below
        if now - self._since < (self._wait_up if below else options.patience_down_s):
            return False
        self._since = None
        self._step(now, up=below)
        return True

    def _step(self, now: float, *, up: bool) -> None:
        options = self._options
        if up:
            self.level -= 1
            self._rose_at = now
            return
        self.level += 1
        if self._rose_at is not None and now - self._rose_at < 2 * self._wait_up:
            self._wait_up = min(2 * self._wait_up, options.max_patience_up_s)
        else:
            self._wait_up = options.patience_up_s
        self._rose_at = None
