"""What a session measures of itself: counts, latency, the times of its stages."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5, 1.0)
"""Upper bounds of the latency histogram."""
RECENT: Final = 300
"""Frames that percentiles are taken over."""
NOW_S: Final = 1.0
"""Seconds that count as now."""
MEMORY: Final = 0.1
"""Part of each new measurement in a stage's running mean."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A session's figures at one time; counts are since its start."""

    frames_in: int
    frames_out: int
    drops: dict[str, int]
    """Frames dropped, by reason."""
    latency_ms: dict[str, float]
    """p50, p95 and p99 of the latest ``RECENT`` frames: from receipt to hand-over. Empty before the first frame."""
    delay_ms: float | None
    """Half of the last second's frames had less latency; ``None`` where there was none."""
    latency_buckets: tuple[int, ...]
    """Frames by latency, up to each of ``BUCKETS_S`` and beyond the last; not cumulative."""
    latency_sum_s: float
    stage_ms: dict[str, float]
    """Running means of what one call of each stage takes."""
    fps_in: float
    fps_out: float
    """Over the last two seconds."""


@dataclass
class _Rate:
    times: deque[float] = field(default_factory=lambda: deque(maxlen=240))

    def at(self, now: float) -> float:
        """Events a second over the last two."""
        return sum(1 for time in self.times if now - time <= 2.0) / 2.0


class Statistics:
    """Takes measurements from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in, self._out = _Rate(), _Rate()
        self._counts = Counter[str]()
        self._drops = Counter[str]()
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)
        """When frames were handed over, and their latency."""
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._latency_sum = 0.0
        self._stages: dict[str, float] = {}

    def came(self, now: float) -> None:
        """A frame came in."""
        with self._lock:
            self._counts["in"] += 1
            self._in.times.append(now)

    def went(self, now: float, latency_s: float) -> None:
        """A frame was handed over, this long after its receipt."""
        with self._lock:
            self._counts["out"] += 1
            self._out.times.append(now)
            self._recent.append((now, latency_s))
            self._latency_sum += latency_s
            self._buckets[sum(latency_s > bound for bound in BUCKETS_S)] += 1

    def dropped(self, reason: str) -> None:
        with self._lock:
            self._drops[reason] += 1

    def took(self, stage: str, seconds: float) -> None:
        with self._lock:
            before = self._stages.get(stage, seconds)
            self._stages[stage] = before + MEMORY * (seconds - before)

    def late(self, frames: int = 30) -> float:
        """The 90th percentile of the latest frames' latency in seconds; 0 before the first."""
        with self._lock:
            latest = [latency for _, latency in self._recent][-frames:]
        return float(np.percentile(latest, 90)) if latest else 0.0

    def snapshot(self, now: float) -> Snapshot:
        with self._lock:
            recent = [latency for _, latency in self._recent]
            latest = [latency for time, latency in self._recent if now - time <= NOW_S]
            at = np.percentile(recent, (50, 95, 99)) * 1000 if recent else ()
            return Snapshot(
                frames_in=self._counts["in"],
                frames_out=self._counts["out"],
                drops=dict(self._drops),
                latency_ms={name: round(float(ms), 2) for name, ms in zip(("p50", "p95", "p99"), at, strict=False)},
                delay_ms=round(1000 * float(np.median(latest)), 2) if latest else None,
                latency_buckets=tuple(self._buckets),
                latency_sum_s=self._latency_sum,
                stage_ms={name: round(1000 * seconds, 2) for name, seconds in self._stages.items()},
                fps_in=self._in.at(now),
                fps_out=self._out.at(now),
            )
