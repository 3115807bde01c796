"""One timeline, whatever the inputs' clocks do; monotonic times are passed in."""

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.live.media_clock import MediaClock

BASE = Fraction(1, 1000)


def packet(dts_ms, pts_ms=None, base=BASE):
    made = av.Packet(b"x")
    made.time_base = base
    made.dts = None if dts_ms is None else round(Fraction(dts_ms, 1000) / base)
    made.pts = made.dts if pts_ms is None else round(Fraction(pts_ms, 1000) / base)
    return made


def placed(clock, now, dts_ms, pts_ms=None):
    """A packet's decoding and presentation times on the timeline, in milliseconds."""
    made = packet(dts_ms, pts_ms)
    clock.place(made, now)
    return made.dts, made.pts


def test_the_first_packet_is_at_zero_and_distances_stay():
    clock = MediaClock()
    assert placed(clock, 50.0, 7000, 7080) == (0, 80)
    assert placed(clock, 50.9, 7040, 7040) == (40, 40), "when it came does not matter"
    assert placed(clock, 50.9, 7080, 7160) == (80, 160)


def test_after_a_loss_the_timeline_goes_on_with_what_has_passed():
    clock = MediaClock()
    placed(clock, 10.0, 5000)
    placed(clock, 10.1, 5100)
    clock.begin()
    assert placed(clock, 14.1, 99_000)[0] == 100 + 4000
    assert placed(clock, 14.1, 99_040)[0] == 4140


def test_a_clock_that_runs_back_goes_on():
    clock = MediaClock()
    placed(clock, 1.0, 60_000)
    assert placed(clock, 1.5, 20)[0] == 500
    assert placed(clock, 1.5, 60)[0] == 540


def test_a_jump_is_no_gap_but_a_pause_is():
    clock = MediaClock()
    placed(clock, 1.0, 0)
    assert placed(clock, 1.04, 500_000)[0] == 40, "the clock jumped: no time had passed"
    assert placed(clock, 9.0, 508_000)[0] == 8040, "the sender paused, and its clock went on"


def test_a_gap_in_a_recording_is_a_pause():
    clock = MediaClock()
    clock.begin(recording=True)
    placed(clock, 1.0, 0)
    assert placed(clock, 1.01, 60_000)[0] == 60_000
    assert placed(clock, 2.01, 20)[0] == 61_000, "but it may start anew, as joined files do"


def test_a_packet_without_a_decoding_time_starts_no_new_count():
    """Matroska leaves it out where the order of presentation is not that of decoding."""
    clock, first = MediaClock(), packet(0)
    first.dts = None
    clock.place(first, 1.0)
    assert first.pts == 0
    assert placed(clock, 1.0, -80, 120)[1] == 120
    assert placed(clock, 1.0, -40, 40)[1] == 40
    later = packet(160)
    later.dts = None
    clock.place(later, 1.1)
    assert later.pts == 160
    assert placed(clock, 1.2, 120, 120)[1] == 120


def test_audio_moves_with_the_video():
    clock = MediaClock()
    assert not clock.shift(packet(5000)), "no video yet"
    placed(clock, 3.0, 5000)
    audio = packet(5120, base=Fraction(1, 48000))
    assert clock.shift(audio)
    assert audio.pts == 120 * 48
    clock.begin()
    assert not clock.shift(packet(5000)), "another connection: its offset is not known"


def test_a_packet_without_times_is_where_the_clock_is():
    clock = MediaClock()
    placed(clock, 2.0, 0)
    assert placed(clock, 2.25, None)[1] == 250


def test_a_first_packet_without_times_sets_no_offset():
    """RTSP sends one at every start; those that follow count from a time of their own."""
    clock = MediaClock()
    placed(clock, 10.0, 5000)
    placed(clock, 10.1, 5100)
    clock.begin()
    assert placed(clock, 14.1, None)[1] == 4100
    assert placed(clock, 14.12, 88)[0] == 4120
    assert placed(clock, 14.12, 128)[0] == 4160


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(-5000, 5000), st.booleans()), min_size=2, max_size=60))
def test_the_timeline_never_runs_back_nor_away(steps):
    """Whatever clocks show: it stays within the time that has passed and the lead that a stream may have."""
    clock, now, dts, before = MediaClock(), 0.0, 0, None
    for passed, step, anew in steps:
        now, dts = now + passed, dts + step
        if anew:
            clock.begin()
        time = placed(clock, now, dts)[0]
        if before is not None:
            assert time >= before - 1
            assert time - before <= 1000 * (passed + 2.0) + 1
        before = time


@pytest.mark.parametrize("now", [0.0, 1e6])
def test_between_packets_the_timeline_goes_on(now):
    clock = MediaClock()
    assert clock.at(now) == 0
    placed(clock, now, 300)
    assert float(clock.at(now + 0.5)) == pytest.approx(0.5)
