"""The hand-over from any thread to a coroutine."""

import asyncio
import threading

import pytest

from stream.live.loop_mailbox import LoopMailbox
from stream.live.mailbox import Closed


def run(work):
    return asyncio.run(asyncio.wait_for(work, 20))


def test_the_newest_wins_and_what_it_replaces_is_told():
    async def go():
        box = LoopMailbox(asyncio.get_running_loop())
        assert [box.put(n) for n in (1, 2, 3)] == [False, True, True]
        assert await box.take() == 3
        assert box.put(4) is False
        assert await box.take() == 4

    run(go())


def test_a_thread_wakes_the_reader_and_no_item_comes_twice():
    async def go():
        box = LoopMailbox(asyncio.get_running_loop())
        writer = threading.Thread(target=lambda: [box.put(n) for n in range(10_000)])
        writer.start()
        found = []
        while not found or found[-1] != 9_999:
            found.append(await box.take())
        writer.join()
        assert found == sorted(set(found))

    run(go())


def test_many_items_wake_the_loop_once():
    """A loop that is busy must not find a call for each of them."""

    async def go():
        loop, calls = asyncio.get_running_loop(), []
        plain = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *a: (calls.append(a), plain(*a))[1]
        box = LoopMailbox(loop)
        for n in range(100):
            box.put(n)
        assert len(calls) == 1
        assert await box.take() == 99

    run(go())


def test_closing_wakes_the_reader_and_later_items_are_left_out():
    async def go():
        box = LoopMailbox(asyncio.get_running_loop())
        asyncio.get_running_loop().call_later(0.01, box.close)
        with pytest.raises(Closed):
            await box.take()
        assert box.put(1) is False
        with pytest.raises(Closed):
            await box.take()

    run(go())
