"""The hand-over that keeps only the newest."""

import threading

import pytest

from stream.live.mailbox import Closed, Mailbox


def test_the_newest_wins_and_what_it_replaces_is_told():
    box = Mailbox()
    assert [box.put(n) for n in (1, 2, 3)] == [False, True, True]
    assert box.take() == 3
    assert box.put(4) is False


def test_a_reader_waits_for_a_writer():
    box = Mailbox()
    threading.Timer(0.05, box.put, [7]).start()
    assert box.take(timeout_s=10) == 7


def test_waiting_ends_when_its_time_is_over():
    assert Mailbox().take(timeout_s=0.01) is None


def test_closing_wakes_the_reader_and_drops_what_is_inside():
    box = Mailbox()
    box.put(1)
    box.close()
    with pytest.raises(Closed):
        box.take()
    assert box.put(2) is False
    waiting = Mailbox()
    threading.Timer(0.05, waiting.close).start()
    with pytest.raises(Closed):
        waiting.take(timeout_s=10)
