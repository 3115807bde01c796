"""Rate limits as token buckets. The caller passes the time, so no clock is read here."""

from collections import OrderedDict
from typing import Final

MAX_KEYS: Final = 4096
"""Buckets kept; beyond that the least recently used one is forgotten."""


class TokenBucket:
    """Allows ``burst`` events in a row and ``per_second`` in the long run."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._updated_at: float | None = None

    def take(self, now: float) -> bool:
        """Take a token for one event; ``False`` where there is none, and then nothing is taken."""
        allowed = self.wait_s(now) == 0
        self._tokens -= allowed
        return allowed

    def wait_s(self, now: float) -> float:
        """Seconds until the next token; 0 where there is one."""
        if self._updated_at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._updated_at) * self._per_second)
        self._updated_at = now
        return max(0.0, (1 - self._tokens) / self._per_second)


class TokenBuckets:
    """A ``TokenBucket`` for each key, such as a client's address."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, key: str) -> TokenBucket:
        """The key's bucket, a full one for a new key."""
        bucket = self._buckets.pop(key, None) or TokenBucket(per_second=self._per_second, burst=self._burst)
        self._buckets[key] = bucket
        if len(self._buckets) > MAX_KEYS:
            self._buckets.popitem(last=False)
        return bucket
