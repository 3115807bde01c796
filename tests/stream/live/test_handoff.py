"""The handoff: the newest counts, nothing is lost uncounted, and its end wakes everyone."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.live.handoff import Closed, Handoff
from tests.stream.live.manual_clock import ManualClock

PATIENCE_S = 30


def run(work):
    return asyncio.run(asyncio.wait_for(work, PATIENCE_S))


def taken_in_thread(handoff, *arguments):
    """Takes in a thread: waits for it, and gives the item, or the exception."""
    results = []

    def take():
        try:
            results.append(handoff.take(*arguments))
        except (Closed, TimeoutError) as error:
            results.append(error)

    thread = threading.Thread(target=take)
    thread.start()

    def result():
        thread.join(PATIENCE_S)
        (found,) = results
        return found

    return result


def test_with_room_for_one_the_newest_counts():
    lost = []
    handoff = Handoff(on_drop=lost.append)
    assert all(handoff.put(n) for n in (1, 2, 3))
    assert handoff.take() == 3
    assert handoff.put(4)
    assert lost == [1, 2]
    assert handoff.dropped == {"item": 2}


def test_the_oldest_of_a_kind_makes_room():
    handoff = Handoff({"frame": 2, "audio": 3})
    for k in range(4):
        handoff.put(f"f{k}", "frame")
        handoff.put(f"a{k}", "audio")
    handoff.close()
    assert handoff.dropped == {"frame": 2, "audio": 1}
    assert list(handoff) == ["a1", "f2", "a2", "f3", "a3"]


def test_items_need_not_be_comparable():
    class Frame:
        def __eq__(self, other):
            raise ValueError("frames are not compared")

    handoff = Handoff()
    first, second = Frame(), Frame()
    handoff.put(first)
    handoff.put(second)
    assert handoff.take() is second


@pytest.mark.parametrize("capacity", [0, {}, {"frame": 1, "audio": 0}])
def test_every_kind_needs_room(capacity):
    with pytest.raises(ValueError, match="room"):
        Handoff(capacity)


def test_a_reader_waits_for_a_writer():
    handoff = Handoff()
    result = taken_in_thread(handoff)
    handoff.put(7)
    assert result() == 7


def test_a_reader_waits_no_longer_than_it_is_told():
    clock = ManualClock()
    handoff = Handoff(clock=clock)
    result = taken_in_thread(handoff, 2.0)
    clock.wait_for_sleepers()
    clock.advance(2.0)
    assert isinstance(result(), TimeoutError)
    handoff.put(1)
    assert handoff.take(0) == 1


def test_closing_wakes_the_reader_once_it_has_the_rest():
    handoff = Handoff(3)
    handoff.put(1)
    handoff.put(2)
    handoff.close()
    assert not handoff.put(3)
    assert list(handoff) == [1, 2]
    waiting = Handoff()
    result = taken_in_thread(waiting)
    waiting.close()
    assert isinstance(result(), Closed)


def test_cancelling_removes_what_is_inside():
    handoff = Handoff(3)
    handoff.put(1)
    handoff.cancel()
    assert list(handoff) == []
    assert handoff.dropped == {}


def test_clearing_tells_how_much_it_was_and_makes_room():
    handoff = Handoff({"frame": 4, "audio": 4})
    for k in range(3):
        handoff.put(k, "frame")
    handoff.put(9, "audio")
    assert handoff.clear() == {"frame": 3, "audio": 1}
    with pytest.raises(TimeoutError):
        handoff.take(0)
    for k in range(5):
        handoff.put(k, "frame")
    assert handoff.dropped == {"frame": 1}


def test_a_writer_that_waits_loses_nothing():
    handoff = Handoff(2, overflow="wait")
    writer = threading.Thread(target=lambda: [handoff.put(n) for n in range(1000)])
    writer.start()
    batch = handoff.take_batch(8)
    assert 1 <= len(batch) <= 2
    found = [*batch, *(handoff.take() for _ in range(1000 - len(batch)))]
    writer.join(PATIENCE_S)
    assert found == list(range(1000))
    assert handoff.dropped == {}


def test_the_end_wakes_a_writer_that_waits():
    handoff = Handoff(overflow="wait")
    handoff.put(1)
    accepted = []
    writer = threading.Thread(target=lambda: accepted.append(handoff.put(2)))
    writer.start()
    handoff.close()
    writer.join(PATIENCE_S)
    assert accepted == [False]


def test_a_batch_is_what_waits_up_to_its_limit():
    handoff = Handoff(10)
    for n in range(5):
        handoff.put(n)
    assert handoff.take_batch(3) == [0, 1, 2]
    assert handoff.take_batch(3) == [3, 4]
    handoff.close()
    with pytest.raises(Closed):
        handoff.take_batch(3)


STEPS = st.lists(st.sampled_from(["take", "a", "b", "clear"]), max_size=80)
CAPACITY = st.fixed_dictionaries({"a": st.integers(1, 4), "b": st.integers(1, 4)})


@given(STEPS, CAPACITY)
def test_what_is_not_dropped_comes_in_order(steps, capacity):
    """Against a list: every item put is inside, taken in order, cleared, or dropped and counted."""
    lost = []
    handoff, model, drops = Handoff(capacity, on_drop=lost.append), [], []
    for number, step in enumerate(steps):
        if step == "take":
            if model:
                assert handoff.take(0) == model.pop(0)
            else:
                with pytest.raises(TimeoutError):
                    handoff.take(0)
        elif step == "clear":
            assert sum(handoff.clear().values()) == len(model)
            model.clear()
        else:
            assert handoff.put((step, number), step)
            same = [item for item in model if item[0] == step]
            if len(same) == capacity[step]:
                model.remove(same[0])
                drops.append(same[0])
            model.append((step, number))
    assert lost == drops
    assert sum(handoff.dropped.values()) == len(drops)
    handoff.close()
    assert list(handoff) == model


@given(st.integers(1, 4), st.lists(st.integers(0, 60), min_size=1, max_size=4))
def test_any_number_of_writers_lose_nothing_uncounted(capacity, lengths):
    """Each item arrives once or is dropped once, and those of one writer come in its order."""
    lost = []
    handoff = Handoff(capacity, on_drop=lost.append)
    writers = [
        threading.Thread(target=lambda who=who, length=length: [handoff.put((who, n)) for n in range(length)])
        for who, length in enumerate(lengths)
    ]
    found = []
    reader = threading.Thread(target=lambda: found.extend(handoff))
    for thread in (reader, *writers):
        thread.start()
    for writer in writers:
        writer.join(PATIENCE_S)
    handoff.close()
    reader.join(PATIENCE_S)
    assert sorted(found + lost) == [(who, n) for who, length in enumerate(lengths) for n in range(length)]
    for who in range(len(lengths)):
        mine = [n for writer, n in found if writer == who]
        assert mine == sorted(mine)
    assert handoff.dropped.get("item", 0) == len(lost)


def test_a_coroutine_takes_the_newest_too():
    async def go():
        handoff = Handoff()
        for n in (1, 2, 3):
            handoff.put(n)
        assert await handoff.take_async() == 3
        assert handoff.dropped == {"item": 2}

    run(go())


def test_a_thread_wakes_a_coroutine_and_no_item_comes_twice():
    async def go():
        handoff = Handoff()
        writer = threading.Thread(target=lambda: [handoff.put(n) for n in range(10_000)])
        writer.start()
        found = []
        while not found or found[-1] != 9_999:
            found.append(await handoff.take_async())
        writer.join()
        assert found == sorted(set(found))

    run(go())


def test_many_items_wake_the_loop_once():
    """A loop that is busy must not find a call for each of them."""

    async def go():
        loop, calls = asyncio.get_running_loop(), []
        plain = loop.call_soon_threadsafe
        loop.call_soon_threadsafe = lambda *a: (calls.append(a), plain(*a))[1]
        handoff = Handoff()
        reader = asyncio.create_task(handoff.take_async())
        await asyncio.sleep(0)  # now it waits
        for n in range(100):
            handoff.put(n)
        assert len(calls) == 1
        assert await reader == 99

    run(go())


def test_closing_wakes_a_coroutine():
    async def go():
        handoff = Handoff()
        reader = asyncio.create_task(handoff.take_async())
        await asyncio.sleep(0)
        handoff.close()
        with pytest.raises(Closed):
            await reader
        with pytest.raises(Closed):
            await handoff.take_async()

    run(go())


def test_a_coroutine_that_was_cancelled_is_not_woken_any_more():
    async def go():
        handoff = Handoff()
        reader = asyncio.create_task(handoff.take_async())
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        return handoff

    assert run(go()).put(1), "its loop is closed"
