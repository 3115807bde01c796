import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.pipeline.channel import Cancelled, Channel


@given(st.lists(st.integers(), max_size=50), st.integers(1, 5))
def test_keeps_order_and_loses_nothing(items, capacity):
    channel = Channel(capacity)

    def write():
        for item in items:
            channel.put(item)
        channel.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert list(channel) == items
    writer.join(5)
    assert not writer.is_alive()


def test_a_full_channel_makes_the_writer_wait():
    channel, entered = Channel(2), threading.Event()

    def write():
        for n in range(3):
            channel.put(n)
        entered.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert not entered.wait(0.05)
    reader = iter(channel)
    assert next(reader) == 0
    assert entered.wait(5)
    writer.join(5)


@pytest.mark.parametrize("full", [True, False])
def test_cancel_wakes_both_sides(full):
    channel, outcome = Channel(1), []
    if full:
        channel.put(0)

    def blocked():
        try:
            channel.put(1) if full else next(iter(channel))
        except Cancelled:
            outcome.append("cancelled")

    thread = threading.Thread(target=blocked)
    thread.start()
    channel.cancel()
    thread.join(5)
    assert outcome == ["cancelled"]
    with pytest.raises(Cancelled):
        channel.put(2)


def test_close_lets_the_reader_finish():
    channel = Channel(3)
    channel.put("a")
    channel.put("b")
    channel.close()
    assert list(channel) == ["a", "b"]
    with pytest.raises(ValueError, match="closed"):
        channel.put("c")
