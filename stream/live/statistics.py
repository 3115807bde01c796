"""What a session measures of itself: counts, latency, and how long its stages take."""

import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

LATENCY_BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5, 1.0)
"""Upper bounds of the latency histogram."""
PERCENTILE_FRAMES: Final = 300
"""Latest frames that percentiles are taken over."""
RECENT_S: Final = 1.0
"""Seconds that count as recent."""
RATE_WINDOW_S: Final = 2.0
MAX_RATE_EVENTS: Final = 240
"""Events kept to measure a rate: 120 a second over the window."""
SMOOTHING: Final = 0.1
"""Weight of a new measurement in a stage's running mean."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A session's statistics at one time; counts are since its start."""

    frames_in: int
    frames_out: int
    drops: dict[str, int]
    """Dropped frames by reason."""
    latency_ms: dict[str, float]
    """p50, p95 and p99 over the latest ``PERCENTILE_FRAMES``, from receipt to delivery; empty before the first."""
    recent_latency_ms: float | None
    """Median over the last ``RECENT_S``; ``None`` where no frame was delivered."""
    latency_buckets: tuple[int, ...]
    """Frames by latency, up to each of ``LATENCY_BUCKETS_S`` and beyond the last; not cumulative."""
    latency_sum_s: float
    stage_ms: dict[str, float]
    """Running mean of the time that each stage takes per call."""
    fps_in: float
    fps_out: float
    """Over the last ``RATE_WINDOW_S``, as ``fps_in``."""


@dataclass
class _Rate:
    times: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_RATE_EVENTS))

    def at(self, now: float) -> float:
        """Events per second over the last ``RATE_WINDOW_S``."""
        return sum(1 for time in self.times if now - time <= RATE_WINDOW_S) / RATE_WINDOW_S


class Statistics:
    """Takes measurements from any thread; times are passed in, in seconds on the monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in, self._out = _Rate(), _Rate()
        self._counts = Counter[str]()
        self._drops = Counter[str]()
        self._latest: deque[tuple[float, float]] = deque(maxlen=PERCENTILE_FRAMES)
        """When frames were delivered, and their latency."""
        self._buckets = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self._latency_sum = 0.0
        self._stages: dict[str, float] = {}

    def frame_in(self, now: float) -> None:
        """A frame came in."""
        with self._lock:
            self._counts["in"] += 1
            self._in.times.append(now)

    def frame_out(self, now: float, latency_s: float) -> None:
        """A frame was delivered, so long after its receipt."""
        with self._lock:
            self._counts["out"] += 1
            self._out.times.append(now)
            self._latest.append((now, latency_s))
            self._latency_sum += latency_s
            self._buckets[sum(latency_s > bound for bound in LATENCY_BUCKETS_S)] += 1

    def dropped(self, reason: str) -> None:
        """A frame was dropped."""
        with self._lock:
            self._drops[reason] += 1

    def stage_took(self, stage: str, seconds: float) -> None:
        """One call of a stage took so long."""
        with self._lock:
            before = self._stages.get(stage, seconds)
            self._stages[stage] = before + SMOOTHING * (seconds - before)

    def recent_p90_s(self, frames: int = 30) -> float:
        """The 90th percentile of the latest frames' latency in seconds; 0 before the first."""
        with self._lock:
            latest = [latency for _, latency in self._latest][-frames:]
        return float(np.percentile(latest, 90)) if latest else 0.0

    def snapshot(self, now: float) -> Snapshot:
        """All of it at this time."""
        with self._lock:
            latencies = [latency for _, latency in self._latest]
            recent = [latency for time, latency in self._latest if now - time <= RECENT_S]
            at = np.percentile(latencies, (50, 95, 99)) * 1000 if latencies else ()
            return Snapshot(
                frames_in=self._counts["in"],
                frames_out=self._counts["out"],
                drops=dict(self._drops),
                latency_ms={name: round(float(ms), 2) for name, ms in zip(("p50", "p95", "p99"), at, strict=False)},
                recent_latency_ms=round(1000 * float(np.median(recent)), 2) if recent else None,
                latency_buckets=tuple(self._buckets),
                latency_sum_s=self._latency_sum,
                stage_ms={name: round(1000 * seconds, 2) for name, seconds in self._stages.items()},
                fps_in=self._in.at(now),
                fps_out=self._out.at(now),
            )
