"""Token buckets, at times that the tests choose."""

import pytest

from stream.live.rate_limits import MAX_KEYS, TokenBucket, TokenBuckets


def test_a_burst_passes_then_the_long_run_rate_holds():
    bucket = TokenBucket(per_second=2, burst=3)
    assert [bucket.take(10.0) for _ in range(5)] == [True, True, True, False, False]
    assert bucket.wait_s(10.0) == pytest.approx(0.5)
    assert not bucket.take(10.4)
    assert bucket.take(10.6)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False], "idle time saves up one burst only"


def test_a_refused_event_takes_no_token():
    bucket = TokenBucket(per_second=1, burst=1)
    assert bucket.take(0.0)
    for k in range(1, 10):
        assert not bucket.take(k / 10)
    assert bucket.take(1.0)


def test_each_key_has_its_own_bucket_and_the_number_of_keys_is_bounded():
    buckets = TokenBuckets(per_second=1, burst=1)
    assert buckets.of("a").take(0)
    assert not buckets.of("a").take(0)
    assert buckets.of("b").take(0)
    for n in range(MAX_KEYS - 1):
        buckets.of(f"other {n}")
    assert not buckets.of("b").take(0), "used last, kept"
    assert buckets.of("a").take(0), "least recently used, forgotten"
