"""How often something may happen: token buckets, read at times that are passed in."""

from collections import OrderedDict
from typing import Final

MOST_KEYS: Final = 4096
"""Buckets that are kept; the one that was used longest ago makes room."""


class TokenBucket:
    """A token bucket: ``burst`` at once, and ``per_second`` in the long run."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Whether one more may happen now; if so, it counts."""
        allowed = self.wait_s(now) == 0
        self._left -= allowed
        return allowed

    def wait_s(self, now: float) -> float:
        """Seconds until one more may happen; 0 where it may now."""
        if self._at is not None:
            self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        return max(0.0, (1 - self._left) / self._per_second)


class TokenBuckets:
    """One bucket a key, such as a client's address."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, key: str) -> TokenBucket:
        bucket = self._buckets.pop(key, None) or TokenBucket(per_second=self._per_second, burst=self._burst)
        self._buckets[key] = bucket
        if len(self._buckets) > MOST_KEYS:
            self._buckets.popitem(last=False)
        return bucket
