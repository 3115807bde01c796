"""What a session measures of itself, at given times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.live.statistics import LATENCY_BUCKETS_S, RATE_WINDOW_S, Statistics


def measured(*frames):
    statistics = Statistics()
    for now, latency in frames:
        statistics.frame_out(now, latency)
    return statistics


def test_recent_latency_is_that_of_the_last_second():
    """What a change of effect costs shows soon, while percentiles remember what was before."""
    quick = [(n / 30, 0.002) for n in range(270)]
    slow = [(9 + n / 30, 0.08) for n in range(30)]
    snapshot = measured(*quick, *slow).snapshot(10.0)
    assert (snapshot.recent_latency_ms, snapshot.latency_ms["p50"]) == (80.0, 2.0)
    assert measured(*quick, *slow[:10]).snapshot(9.4).recent_latency_ms == 2.0


def test_without_frames_there_is_no_latency():
    snapshot = measured().snapshot(1.0)
    assert (snapshot.recent_latency_ms, snapshot.latency_ms) == (None, {})
    assert measured().recent_p90_s() == 0
    late = measured((1.0, 0.02)).snapshot(3.0)
    assert (late.recent_latency_ms, late.latency_ms["p50"]) == (None, 20.0)


def test_rates_are_those_of_the_last_seconds():
    statistics = Statistics()
    for n in range(100):
        statistics.frame_in(n / 10)
    assert statistics.snapshot(10).fps_in == pytest.approx(10, abs=0.5)
    assert statistics.snapshot(10 + RATE_WINDOW_S).fps_in == 0


def test_drops_are_counted_by_reason():
    statistics = Statistics()
    for reason in ("newer frame", "out of order", "newer frame"):
        statistics.dropped(reason)
    assert statistics.snapshot(0).drops == {"newer frame": 2, "out of order": 1}


def test_stage_times_are_smoothed():
    statistics = Statistics()
    statistics.stage_took("render", 0.010)
    assert statistics.snapshot(0).stage_ms == {"render": 10}
    statistics.stage_took("render", 0.020)
    assert statistics.snapshot(0).stage_ms == {"render": 11}


def test_the_90th_percentile_is_of_the_latest_frames():
    statistics = measured(*[(n, 1.0) for n in range(30)], *[(n, 0.1) for n in range(30)])
    assert statistics.recent_p90_s(30) == pytest.approx(0.1)
    assert statistics.recent_p90_s(60) == pytest.approx(1.0)


@given(st.lists(st.floats(0, 2), max_size=50))
def test_every_frame_is_in_one_bucket(latencies):
    snapshot = measured(*((n / 30, latency) for n, latency in enumerate(latencies))).snapshot(10)
    assert sum(snapshot.latency_buckets) == snapshot.frames_out == len(latencies)
    assert snapshot.latency_sum_s == pytest.approx(sum(latencies))
    for bound, count in zip(LATENCY_BUCKETS_S, snapshot.latency_buckets, strict=False):
        lower = max((other for other in LATENCY_BUCKETS_S if other < bound), default=-1)
        assert count == sum(lower < latency <= bound for latency in latencies)
