from stream.live.statistics import Statistics


def measured(*frames):
    statistics = Statistics()
    for now, latency in frames:
        statistics.went(now, latency)
    return statistics


def test_the_delay_now_is_that_of_the_last_second():
    """What a change of effect costs shows at once, and percentiles remember what was before."""
    quick = [(n / 30, 0.002) for n in range(270)]
    slow = [(9 + n / 30, 0.08) for n in range(30)]
    figures = measured(*quick, *slow).snapshot(10.0)
    assert (figures.delay_ms, figures.latency_ms["p50"]) == (80.0, 2.0)
    assert measured(*quick, *slow[:10]).snapshot(9.4).delay_ms == 2.0


def test_without_frames_there_is_no_delay():
    assert measured().snapshot(1.0).delay_ms is None
    figures = measured((1.0, 0.02)).snapshot(3.0)
    assert (figures.delay_ms, figures.latency_ms["p50"]) == (None, 20.0)
