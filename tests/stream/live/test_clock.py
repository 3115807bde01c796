"""The system's clock and the one that stands still, by the same rules."""

import asyncio
import threading

import pytest

from stream.live.clock import SYSTEM_CLOCK, StopSignal
from tests.stream.live.manual_clock import ManualClock

PATIENCE_S = 30


def in_thread(work):
    """Runs ``work`` in a thread: the thread, and the list that gets its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()
    return thread, results


def joined(thread):
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.mark.parametrize("clock", [SYSTEM_CLOCK, ManualClock()])
def test_what_holds_already_is_not_waited_for(clock):
    condition = threading.Condition()
    with condition:
        assert clock.wait_for(condition, lambda: True, 1e6)
        assert clock.wait_for(condition, lambda: True)
        assert not clock.wait_for(condition, lambda: False, 0)


@pytest.mark.parametrize("clock", [SYSTEM_CLOCK, ManualClock()])
def test_a_notification_ends_a_wait_before_its_time(clock):
    stop = StopSignal(clock)
    thread, results = in_thread(lambda: stop.wait(1e6))
    stop.set()
    joined(thread)
    assert results == [True]
    assert stop.is_set()
    assert stop.wait(1e6)


def test_the_system_clock_moves_and_its_waits_end():
    before = SYSTEM_CLOCK.now()
    assert not StopSignal().wait(0.001)
    assert SYSTEM_CLOCK.now() >= before + 0.001
    asyncio.run(SYSTEM_CLOCK.sleep(0))


def test_a_manual_clock_moves_only_by_hand():
    clock = ManualClock(5.0)
    assert clock.now() == clock.now() == 5.0
    clock.advance(2.5)
    assert clock.now() == 7.5


def test_waits_end_when_the_clock_reaches_their_time():
    clock = ManualClock()
    stop = StopSignal(clock)
    short, ended_short = in_thread(lambda: stop.wait(1))
    long, ended_long = in_thread(lambda: stop.wait(10))
    clock.wait_for_sleepers(2)
    clock.advance(0.5)
    assert (ended_short, ended_long) == ([], [])
    clock.advance(0.5)
    joined(short)
    assert (ended_short, ended_long) == ([False], [])
    clock.advance(9)
    joined(long)
    assert ended_long == [False]


def test_a_coroutine_sleeps_until_the_clock_moves():
    clock = ManualClock()

    async def go():
        sleeping = asyncio.create_task(clock.sleep(3))
        await asyncio.to_thread(clock.wait_for_sleepers)
        clock.advance(2)
        assert not sleeping.done()
        clock.advance(1)
        await asyncio.wait_for(sleeping, PATIENCE_S)
        await clock.sleep(0)
        cancelled = asyncio.create_task(clock.sleep(3))
        await asyncio.to_thread(clock.wait_for_sleepers)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        with pytest.raises(TimeoutError):
            clock.wait_for_sleepers(within_s=0)

    asyncio.run(go())


def test_waiting_for_sleepers_tells_when_there_are_none():
    with pytest.raises(TimeoutError, match="0 of 1"):
        ManualClock().wait_for_sleepers(within_s=0)
