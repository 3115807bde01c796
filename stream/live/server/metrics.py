"""The server's metrics for Prometheus, computed from its publications at every scrape."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ..statistics import LATENCY_BUCKETS_S, Snapshot
from ..webrtc.publications import Publications, Totals


class PublicationsCollector(Collector):
    """Turns the state of the publications into metrics.

    No label tells one session from another: ids are secrets, and the number of time series would grow without end.
    """

    def __init__(self, publications: Publications) -> None:
        self._publications = publications

    def collect(self) -> Iterator[Metric]:
        """All metrics: counters over the server's lifetime, then gauges of its present state."""
        yield from _counters(self._publications.totals())
        yield from self._gauges()

    def _gauges(self) -> Iterator[Metric]:
        running = list(self._publications.by_id.values())
        snapshots = [publication.snapshot() for publication in running]
        yield GaugeMetricFamily("emocolor_sessions", "Sessions now.", len(running))
        limit = self._publications.max_publications
        yield GaugeMetricFamily("emocolor_sessions_limit", "Maximum number of sessions.", limit)
        yield GaugeMetricFamily("emocolor_viewers", "Viewers now, of all sessions.", self._publications.viewers)
        faces = sum(publication.faces for publication in running)
        yield GaugeMetricFamily("emocolor_faces", "Faces in the latest frames, of all sessions.", faces)
        fps = {"in": sum(s.fps_in for s in snapshots), "out": sum(s.fps_out for s in snapshots)}
        yield _labelled_gauge(
            "emocolor_frames_per_second", "Frame rate over the last two seconds, of all sessions.", "direction", fps
        )
        levels = Counter(publication.session.level for publication in running)
        yield _labelled_gauge(
            "emocolor_quality_level_sessions",
            "Sessions at each level of quality; 0 is the best.",
            "level",
            {str(level): levels[level] for level in range(len(self._publications.resources.levels))},
        )
        yield _labelled_gauge(
            "emocolor_stage_seconds",
            "Time per frame and stage, mean of the sessions.",
            "stage",
            _stage_means(snapshots),
        )


def make_registry(publications: Publications) -> CollectorRegistry:
    """The metrics of one server, and its process's memory and CPU time."""
    registry = CollectorRegistry()
    registry.register(PublicationsCollector(publications))
    ProcessCollector(registry=registry)
    return registry


def _counters(totals: Totals) -> Iterator[Metric]:
    # The exposition format appends _total to these names.
    yield CounterMetricFamily("emocolor_sessions_started", "Sessions started.", totals.sessions)
    frames = CounterMetricFamily("emocolor_frames", "Frames received and sent.", labels=["direction"])
    frames.add_metric(["in"], totals.frames_in)
    frames.add_metric(["out"], totals.frames_out)
    yield frames
    drops = CounterMetricFamily("emocolor_dropped_frames", "Frames dropped.", labels=["reason"])
    for reason, count in sorted(totals.drops.items()):
        drops.add_metric([reason], count)
    yield drops
    cumulative, buckets = 0, []
    for bound, count in zip((*map(str, LATENCY_BUCKETS_S), "+Inf"), totals.latency_buckets, strict=True):
        cumulative += count
        buckets.append((bound, cumulative))
    yield HistogramMetricFamily(
        "emocolor_latency_seconds",
        "From a frame's receipt to the encoder.",
        buckets=buckets,
        sum_value=totals.latency_sum_s,
    )


def _labelled_gauge(name: str, documentation: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, documentation, labels=[label])
    for value_of_label, value in values.items():
        gauge.add_metric([value_of_label], value)
    return gauge


def _stage_means(snapshots: list[Snapshot]) -> dict[str, float]:
    """Stage to seconds."""
    stages: defaultdict[str, list[float]] = defaultdict(list)
    for snapshot in snapshots:
        for name, ms in snapshot.stage_ms.items():
            stages[name].append(ms / 1000)
    return {name: sum(seconds) / len(seconds) for name, seconds in sorted(stages.items())}
