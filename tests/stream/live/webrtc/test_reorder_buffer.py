"""The order of audio packets."""

import random

import pytest

from stream.live.webrtc.reorder_buffer import DEPTH, ReorderBuffer


def reordered(numbers):
    """The packets that come out, each with how many had arrived by then."""
    buffer = ReorderBuffer()
    out = [(buffer.add(number & 0xFFFF, number), count) for count, number in enumerate(numbers, 1)]
    return [(packet, count) for packet, count in out if packet is not None]


def test_a_packet_comes_out_once_four_more_have_arrived():
    assert reordered(range(10)) == [(k, k + DEPTH + 1) for k in range(6)]


def test_sequence_numbers_wrap_around():
    first = 65_530
    assert [number for number, _ in reordered(range(first, first + 30))] == list(range(first, first + 26))


def test_packets_out_of_order_are_put_in_order():
    assert [number for number, _ in reordered([0, 2, 1, 3, 5, 6, 4, 7, 9, 8, 10, 11, 12])] == list(range(9))


def test_a_lost_packet_costs_no_more_than_itself():
    rest = [number for number in range(40) if number not in (10, 12, 13, 25)]
    found = reordered(rest)
    assert [number for number, _ in found] == [number for number in rest if number < 36]
    behind = {number: rest[count - 1] - number for number, count in found}
    assert max(behind.values()) <= DEPTH + 3, "a lost packet takes none along"
    assert {behind[number] for number in (*range(14, 21), *range(26, 36))} == {DEPTH}, "then no later than before"


def test_late_packets_and_duplicates_are_dropped():
    arrived = [0, 2, 3, 4, 5, 6, 1, 6, 7, 8, 9, 10, 2, 11, 12]
    found = reordered(arrived)
    assert [number for number, _ in found] == [0, 2, 3, 4, 5, 6, 7, 8]
    assert all(max(arrived[:count]) - number >= DEPTH - 1 for number, count in found), "the lost one counts as one"


@pytest.mark.parametrize("jump", [5000, -5000, 40_000])
def test_a_sender_that_restarts_is_followed(jump):
    found = reordered([*range(100, 120), *range(20_000 + jump, 20_000 + jump + 20)])
    assert [number for number, _ in found][-16:] == list(range(20_000 + jump, 20_000 + jump + 16))


@pytest.mark.parametrize("loss", [0.01, 0.03, 0.1])
def test_packet_loss_and_jitter(loss):
    """Packets of 20 ms that take 10 to 30 ms."""
    chance = random.Random(3)
    sent = [(20 * number + chance.uniform(10, 30), number) for number in range(5000) if chance.random() >= loss]
    found = reordered(number for _, number in sorted(sent))
    assert len(found) >= len(sent) - DEPTH
