"""Viewers of a publication: they come, they are slow, they go."""

import asyncio
import contextlib
import time

import pytest

from stream.live.webrtc.fan_out import FanOut
from stream.live.webrtc.offers import Offer
from stream.live.webrtc.viewers import Viewers
from tests.stream.live.webrtc_clients import Camera, gray_planes, page_client, running, until, whep_client

pytestmark = pytest.mark.timeout(120)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 100))


def test_a_viewer_that_does_not_read_slows_nobody(running_classifier):
    """Its encoder is stuck: its frames are dropped, those of the others are not."""

    async def go():
        async with (
            running(running_classifier) as server,
            page_client(server, Camera([gray_planes(100)])) as client,
            whep_client(server, client.session) as good,
            whep_client(server, client.session) as slow,
        ):
            await good.video.wait_for_more(5)
            await slow.video.wait_for_more(5)
            (stuck,) = (v for name, v in server.publication.viewers.by_id.items() if slow.location.endswith(name))
            release = asyncio.Event()
            plain_recv = stuck.video.recv

            async def stuck_recv():
                await release.wait()
                return await plain_recv()

            stuck.video.recv = stuck_recv
            await good.video.wait_for_more(40)
            assert stuck.video.statistics.snapshot(time.monotonic()).drops["encoder busy"] > 10
            release.set()
            await slow.video.wait_for_more(5)

    run(go())


def test_a_viewer_that_leaves_is_removed_and_the_others_stay(running_classifier):
    async def go():
        async with (
            running(running_classifier) as server,
            page_client(server, Camera([gray_planes(100)])) as client,
            whep_client(server, client.session) as staying,
        ):
            async with whep_client(server, client.session) as leaving:
                await leaving.video.wait_for_more(1)
                assert len(server.publication.viewers) == 2
            await until(lambda: len(server.publication.viewers) == 1)
            await staying.video.wait_for_more(5)

    run(go())


def test_viewers_are_told_when_the_publisher_leaves(running_classifier):
    async def go():
        async with running(running_classifier) as server, contextlib.AsyncExitStack() as stack:
            async with page_client(server, Camera([gray_planes(100)])) as client:
                await client.video.wait_for_more(1)
                publication = server.publication
                viewer = await stack.enter_async_context(whep_client(server, client.session))
                await viewer.video.wait_for_more(1)
                (left,) = publication.viewers.by_id.values()
            await publication.closed.wait()
            assert left.peer.ended.result() == "the publisher is gone"

    run(go())


def test_a_viewer_whose_offer_cannot_be_answered_takes_no_place(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            viewers = Viewers("abcd", FanOut(), server.publications.resources, make_audio=lambda: None)
            offer = Offer(sdp="v=0\r\nm=video x\r\n", sends_audio=False, receives_audio=False, ufrag="")
            with pytest.raises(AssertionError):  # aiortc's parser; ``read_offer`` would have refused it
                await viewers.add(offer, "key", has_audio=False)
            assert len(viewers) == 0

    run(go())
