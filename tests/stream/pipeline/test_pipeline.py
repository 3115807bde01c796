import asyncio
import threading

import pytest

from stream.pipeline.pipeline import Pipeline, Stage


def doubled(items):
    for item in items:
        yield 2 * item


async def collect(pipeline):
    async with pipeline as items:
        return [item async for item in items]


def stage_threads():
    return {t.name for t in threading.enumerate()} & {"decode", "one", "two", "three"}


def test_items_come_in_order_through_all_stages():
    pipeline = Pipeline(lambda: range(500), [Stage("one", doubled), Stage("two", doubled)], capacity=3)
    assert asyncio.run(collect(pipeline)) == [4 * n for n in range(500)]
    assert not stage_threads()


@pytest.mark.parametrize("where", ["decode", "one", "two"])
def test_the_first_error_is_raised_once_all_have_stopped(where):
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
        asyncio.run(collect(Pipeline(source, stages)))
    assert not stage_threads()


def test_leaving_early_stops_every_stage_and_lets_it_clean_up():
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

    async def look_at_three():
        async with Pipeline(endless, [Stage("one", tidy)]) as items:
            async for item in items:
                if item == 2:
                    break

    asyncio.run(look_at_three())
    assert sorted(cleaned) == ["source", "stage"]
    assert not stage_threads()


def test_an_error_of_the_consumer_is_the_one_that_shows():
    async def consume():
        async with Pipeline(lambda: range(100), [Stage("one", doubled)]) as items:
            async for _ in items:
                raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(consume())
    assert not stage_threads()


def test_a_slow_consumer_holds_the_source_back():
    produced = []

    def source():
        for n in range(100):
            produced.append(n)
            yield n

    async def watch():
        async with Pipeline(source, [Stage("one", doubled)], capacity=2) as items:
            async for _ in items:
                for _ in range(20):
                    await asyncio.sleep(0)
                return len(produced)

    assert asyncio.run(watch()) <= 12
