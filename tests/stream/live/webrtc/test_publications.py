"""Several publications of one server: their room, their totals, their end."""

import asyncio
import time
from collections import Counter

import pytest

from stream.live.statistics import Statistics
from stream.live.webrtc.publications import Totals
from tests.stream.live.webrtc_clients import (
    Camera,
    gray_planes,
    mean_luma,
    page_client,
    running,
    tinted,
    whep_client,
)

pytestmark = pytest.mark.timeout(120)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 100))


def test_totals_add_up():
    statistics = Statistics()
    statistics.frame_in(1.0)
    statistics.frame_in(1.1)
    statistics.frame_out(1.2, 0.015)
    statistics.dropped("newer frame")
    once = Totals().plus(statistics.snapshot(2.0))
    twice = once.plus(statistics.snapshot(2.0))
    assert (twice.sessions, twice.frames_in, twice.frames_out) == (2, 4, 2)
    assert twice.drops == Counter({"newer frame": 2})
    assert sum(twice.latency_buckets) == twice.frames_out
    assert twice.latency_sum_s == pytest.approx(0.03)


def test_sessions_that_have_ended_still_count(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            async with page_client(server, Camera([gray_planes(100)])) as client:
                await client.video.wait_for_more(10)
                publication = server.publication
            await publication.closed.wait()
            return server.publications.totals()

    totals = run(go())
    assert totals.sessions == 1
    assert totals.frames_in >= totals.frames_out >= 10


def test_a_full_server_refuses_and_accepts_again_once_there_is_room(running_classifier):
    async def go():
        async with running(running_classifier, max_publications=1) as server:
            async with page_client(server, Camera([gray_planes(100)])) as first:
                await first.wait_message(lambda m: m["type"] == "controls")
                with pytest.raises(AssertionError, match="The server is full: 1 of 1 sessions are in use"):
                    async with page_client(server, Camera([gray_planes(100)])):
                        pass
                status, _, _ = await server.call("DELETE", f"/api/sessions/{first.session}")
                assert status == 204
                bye = await first.wait_message(lambda m: m["type"] == "bye")
                assert bye["reason"] == "the page ended it"
            async with page_client(server, Camera([gray_planes(100)])) as second:
                await second.video.wait_for_more(1)

    run(go())


def test_sessions_share_the_nets_and_run_in_parallel(running_classifier):
    async def go():
        async with (
            running(running_classifier, controls=tinted(0.0)) as server,
            page_client(server, Camera([gray_planes(60)])) as one,
            page_client(server, Camera([gray_planes(180)])) as two,
        ):
            await one.video.wait_for_more(10)
            await two.video.wait_for_more(10)
            assert mean_luma(one.video.latest) == pytest.approx(60, abs=4)
            assert mean_luma(two.video.latest) == pytest.approx(180, abs=4)
            assert one.session != two.session

    run(go())


def test_stopping_tells_the_clients_and_accepts_no_more(running_classifier):
    async def go():
        async with (
            running(running_classifier) as server,
            page_client(server, Camera([gray_planes(100)])) as client,
            whep_client(server, client.session) as viewer,
        ):
            await viewer.video.wait_for_more(3)
            started = time.monotonic()
            await server.publications.stop()
            assert time.monotonic() - started < 6
            bye = await client.wait_message(lambda m: m["type"] == "bye")
            assert bye["reason"] == "the server is stopping"
            status, _, _ = await server.call("POST", "/api/offer", json={"type": "offer", "sdp": "x"})
            assert status == 400
            with pytest.raises(AssertionError, match="stopping"):
                async with page_client(server, Camera([gray_planes(100)])):
                    pass

    run(go())
