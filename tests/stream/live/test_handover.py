"""The bounded hand-over: nothing waits but the reader, nothing is lost uncounted."""

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.live.handover import Handover
from stream.live.mailbox import Closed

PATIENCE_S = 20


def everything(items):
    taken = []
    with contextlib.suppress(Closed):
        while True:
            taken.append(items.take(PATIENCE_S))
    return taken


def test_the_oldest_of_a_kind_makes_room():
    items = Handover({"picture": 2, "sound": 3})
    for k in range(4):
        items.put("picture", f"p{k}")
        items.put("sound", f"s{k}")
    items.close()
    assert items.dropped == {"picture": 2, "sound": 1}
    assert everything(items) == ["s1", "p2", "s2", "p3", "s3"]


def test_items_of_the_same_kind_are_told_apart_by_place_alone():
    """They may be things that cannot be compared."""

    class Picture:
        def __eq__(self, other):
            raise ValueError("pictures are not compared")

    items = Handover({"picture": 1})
    first, second = Picture(), Picture()
    items.put("picture", first)
    items.put("picture", second)
    assert items.take() is second


def test_the_reader_waits_for_what_comes_and_for_no_longer():
    items = Handover({"picture": 1})
    assert items.take(0.01) is None
    threading.Timer(0.05, items.put, ["picture", 7]).start()
    assert items.take(PATIENCE_S) == 7


def test_the_end_wakes_the_reader_and_later_items_are_left_out():
    items = Handover({"picture": 1})
    threading.Timer(0.05, items.close).start()
    with pytest.raises(Closed):
        items.take(PATIENCE_S)
    items.put("picture", 1)
    with pytest.raises(Closed):
        items.take()


def test_clearing_tells_how_much_it_was():
    items = Handover({"picture": 4, "sound": 4})
    for k in range(3):
        items.put("picture", k)
    items.put("sound", 9)
    assert items.clear() == {"picture": 3, "sound": 1}
    assert items.take(0) is None
    assert items.dropped == {}
    for k in range(5):
        items.put("picture", k)
    assert items.dropped == {"picture": 1}, "there was room for four again"


@given(st.lists(st.one_of(st.just("take"), st.sampled_from("ab")), max_size=80))
def test_what_is_not_dropped_comes_in_order(steps):
    items, model, drops = Handover({"a": 1, "b": 3}), [], {"a": 0, "b": 0}
    room = {"a": 1, "b": 3}
    for number, step in enumerate(steps):
        if step == "take":
            assert items.take(0) == (model.pop(0) if model else None)
            continue
        items.put(step, (step, number))
        same = [item for item in model if item[0] == step]
        if len(same) == room[step]:
            model.remove(same[0])
            drops[step] += 1
        model.append((step, number))
    assert items.dropped == {kind: count for kind, count in drops.items() if count}
