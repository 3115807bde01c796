"""Delays between tries."""

from stream.live.back_off import BackOff, BackOffOptions


def test_delays_double_up_to_the_longest_and_start_anew():
    back_off = BackOff()
    assert [back_off.next() for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    back_off.reset()
    assert back_off.next() == 0.5


def test_other_delays_can_be_chosen():
    back_off = BackOff(BackOffOptions(first_s=3, max_s=5))
    assert [back_off.next() for _ in range(3)] == [3, 5, 5]
