"""The same guarantees for a plain loop and for one on an event loop."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from stream.pipeline.pipeline import Pipeline, Stage

NAMES = {"decode", "one", "two", "three"}


def doubled(items):
    for item in items:
        yield 2 * item


def stage_threads():
    return {thread.name for thread in threading.enumerate()} & NAMES


def plain_loop(pipeline, body=lambda item: None):
    """The items of a pipeline, each given to ``body``, until that returns ``"leave"``."""
    taken = []
    with pipeline as items:
        for item in items:
            taken.append(item)
            if body(item) == "leave":
                break
    return taken


def loop_on_an_event_loop(pipeline, body=lambda item: None):
    async def take():
        taken = []
        async with pipeline as items:
            async for item in items:
                taken.append(item)
                if body(item) == "leave":
                    break
        return taken

    return asyncio.run(take())


@pytest.fixture(params=[plain_loop, loop_on_an_event_loop])
def run(request) -> Callable:
    return request.param


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_pipeline():
    yield
    assert not stage_threads()


def test_items_come_in_order_through_all_stages(run):
    pipeline = Pipeline(lambda: range(500), [Stage("one", doubled), Stage("two", doubled)], capacity=3)
    assert run(pipeline) == [4 * n for n in range(500)]


def test_a_source_alone_is_a_pipeline(run):
    assert run(Pipeline(lambda: "abc", [])) == ["a", "b", "c"]
    assert run(Pipeline(lambda: (), [Stage("one", doubled)])) == []


@pytest.mark.parametrize("where", ["decode", "one", "two"])
def test_the_first_error_is_raised_once_all_have_stopped(run, where):
    def source():
        for n in range(1000):
            if n == 20 and where == "decode":
                raise RuntimeError(where)
            yield n

    def failing(items, name):
        for item in items:
            if item == 20 and where == name:
                raise RuntimeError(where)
            yield item

    stages = [Stage(name, lambda items, name=name: failing(items, name)) for name in ("one", "two", "three")]
    with pytest.raises(RuntimeError, match=where):
        run(Pipeline(source, stages))


@pytest.mark.parametrize("where", ["source", "stage"])
def test_what_cannot_begin_is_an_error_too(run, where):
    def fails(*_):
        raise OSError("not there")

    source, stages = (fails, []) if where == "source" else (lambda: range(9), [Stage("one", fails)])
    with pytest.raises(OSError, match="not there"):
        run(Pipeline(source, stages))


def test_all_have_stopped_where_the_loop_raises():
    """A caller that handles the error inside the block may use what the stages used."""

    def failing(items):
        yield next(items)
        raise RuntimeError("one")

    with Pipeline(lambda: range(1000), [Stage("one", failing), Stage("two", doubled)]) as items:
        try:
            for _ in items:
                pass
        except RuntimeError:
            assert not stage_threads()


def test_an_error_at_the_end_of_a_stage_is_raised_though_all_items_came(run):
    def failing(items):
        yield from items
        raise RuntimeError("cannot be finished")

    taken = []
    with pytest.raises(RuntimeError, match="cannot be finished"):
        run(Pipeline(lambda: range(10), [Stage("one", failing)], capacity=20), taken.append)


def test_leaving_early_stops_every_stage_and_lets_it_clean_up(run):
    cleaned = []

    def endless():
        try:
            n = 0
            while True:
                yield n
                n += 1
        finally:
            cleaned.append("source")

    def tidy(items):
        try:
            yield from items
        finally:
            cleaned.append("stage")

    taken = run(Pipeline(endless, [Stage("one", tidy)]), lambda item: "leave" if item == 2 else None)
    assert taken == [0, 1, 2]
    assert sorted(cleaned) == ["source", "stage"]


def test_an_error_of_the_clean_up_is_raised(run):
    def untidy(items):
        try:
            yield from items
        finally:
            raise OSError("cannot be removed")

    with pytest.raises(OSError, match="cannot be removed"):
        run(Pipeline(lambda: range(1000), [Stage("one", untidy)]), lambda item: "leave")


def test_an_error_of_the_block_is_the_one_that_shows(run):
    def untidy(items):
        try:
            yield from items
        finally:
            raise OSError("the stage's")

    def fail(item):
        raise KeyError("the block's")

    with pytest.raises(KeyError, match="the block's"):
        run(Pipeline(lambda: range(100), [Stage("one", untidy)]), fail)


def test_cancel_from_another_thread_ends_the_items(run):
    pipeline = Pipeline(lambda: iter(int, 1), [Stage("one", doubled)])

    def cancel(item):
        if pipeline not in cancelled:
            cancelled.append(pipeline)
            canceller = threading.Thread(target=pipeline.cancel)
            canceller.start()
            canceller.join()

    cancelled = []
    assert set(run(pipeline, cancel)) == {0}


def test_a_cancelled_task_leaves_no_thread_behind():
    async def take_forever():
        async with Pipeline(lambda: iter(int, 1), [Stage("one", doubled)]) as items:
            async for _ in items:
                started.set()

    async def cancel():
        task = asyncio.create_task(take_forever())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started = asyncio.Event()
    asyncio.run(cancel())


def test_a_slow_consumer_holds_the_source_back(run):
    produced = []

    def source():
        for n in range(100):
            produced.append(n)
            yield n

    def check(item):
        # Two channels of two, one item in each of two stages, and those that were taken.
        assert len(produced) <= item // 2 + 1 + 6

    run(Pipeline(source, [Stage("one", doubled)], capacity=2), check)
    assert len(produced) == 100


def test_threads_that_cannot_be_started_stop_those_that_were(monkeypatch):
    start = threading.Thread.start

    def limited(thread):
        if thread.name == "two":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    with (
        pytest.raises(RuntimeError, match="can't start"),
        Pipeline(lambda: range(1000), [Stage("one", doubled), Stage("two", doubled)]),
    ):
        pass


def test_cpu_time_is_counted_for_each_stage(run):
    def busy(items):
        for item in items:
            yield sum(range(200_000)) + item

    pipeline = Pipeline(lambda: range(20), [Stage("one", busy), Stage("two", doubled)])
    run(pipeline)
    assert set(pipeline.cpu_seconds) == {"decode", "one", "two"}
    assert pipeline.cpu_seconds["one"] > max(pipeline.cpu_seconds["decode"], pipeline.cpu_seconds["two"]) >= 0
