"""What the server measures, as Prometheus reads it: taken from the sessions when it asks, kept nowhere else."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ..quality import LEVELS
from ..statistics import BUCKETS_S
from ..webrtc.publications import Sessions


class SessionsCollector(Collector):
    """Turns the state of the sessions into metrics. No label tells one session from another: ids are secrets, and
    would make the number of series grow without end."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def collect(self) -> Iterator[Metric]:
        yield from self._totals()
        yield from self._now()

    def _totals(self) -> Iterator[Metric]:
        totals = self._sessions.totals()
        yield CounterMetricFamily("emocolor_sessions_begun", "Sessions since the start.", totals.sessions)
        frames = CounterMetricFamily("emocolor_frames", "Frames that came in and went out.", labels=["direction"])
        frames.add_metric(["in"], totals.frames_in)
        frames.add_metric(["out"], totals.frames_out)
        yield frames
        drops = CounterMetricFamily("emocolor_dropped_frames", "Frames that were left out.", labels=["reason"])
        for reason, count in sorted(totals.drops.items()):
            drops.add_metric([reason], count)
        yield drops
        counts, buckets = 0, []
        for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), totals.latency_buckets, strict=True):
            counts += count
            buckets.append((bound, counts))
        yield HistogramMetricFamily(
            "emocolor_latency_seconds",
            "From a frame's receipt to its hand-over to the encoder.",
            buckets=buckets,
            sum_value=totals.latency_sum_s,
        )

    def _now(self) -> Iterator[Metric]:
        publications = list(self._sessions.publications.values())
        snapshots = [publication.snapshot() for publication in publications]
        yield GaugeMetricFamily("emocolor_sessions", "Sessions now.", len(publications))
        yield GaugeMetricFamily("emocolor_sessions_limit", "Sessions that may be at a time.", self._sessions.most)
        yield GaugeMetricFamily("emocolor_viewers", "Clients that watch now.", self._sessions.viewers)
        yield GaugeMetricFamily("emocolor_faces", "Faces in the pictures now.", sum(p.faces for p in publications))
        fps = GaugeMetricFamily("emocolor_fps", "Frames a second over the last two, of all.", labels=["direction"])
        fps.add_metric(["in"], sum(figures.fps_in for figures in snapshots))
        fps.add_metric(["out"], sum(figures.fps_out for figures in snapshots))
        yield fps
        levels = Counter(publication.session.level for publication in publications)
        level = GaugeMetricFamily(
            "emocolor_quality_level_sessions", "Sessions at each level, 0 best.", labels=["level"]
        )
        for number in range(len(LEVELS)):
            level.add_metric([str(number)], levels[number])
        yield level
        stages: defaultdict[str, list[float]] = defaultdict(list)
        for figures in snapshots:
            for name, ms in figures.stage_ms.items():
                stages[name].append(ms / 1000)
        stage = GaugeMetricFamily("emocolor_stage_seconds", "What a stage takes, mean of sessions.", labels=["stage"])
        for name, seconds in sorted(stages.items()):
            stage.add_metric([name], sum(seconds) / len(seconds))
        yield stage


def make_registry(sessions: Sessions) -> CollectorRegistry:
    """The metrics of one server: its sessions, and this process's memory and processor time."""
    registry = CollectorRegistry()
    registry.register(SessionsCollector(sessions))
    ProcessCollector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The text that a scrape gets."""
    return generate_latest(registry)
