"""When a connection counts as failed or silent, and what a peer accepts."""

import asyncio

import pytest

from emocolor.errors import OfferError
from stream.live.webrtc.offers import MAX_CANDIDATES, Offer, read_fragment
from stream.live.webrtc.peer import Peer, PeerTimeouts, Watchdog
from tests.stream.live.webrtc_clients import loopback_only

TIMEOUTS = PeerTimeouts(connect_s=7, silence_s=6)


def test_nothing_times_out_before_the_answer():
    """The server may have nets to load."""
    watchdog = Watchdog(TIMEOUTS)
    assert watchdog.check(1000.0, connected=False, packets_received=0) is None
    watchdog.start(1000.0)
    assert watchdog.check(1006.0, connected=False, packets_received=0) is None


def test_a_connection_must_be_established_in_time():
    watchdog = Watchdog(TIMEOUTS)
    watchdog.start(100.0)
    assert watchdog.check(107.0, connected=False, packets_received=0) is None
    assert watchdog.check(107.1, connected=False, packets_received=0) == "the connection was not established in time"


def test_a_client_that_falls_silent_is_noticed():
    watchdog = Watchdog(TIMEOUTS)
    watchdog.start(100.0)
    for now in range(101, 150):
        assert watchdog.check(now, connected=True, packets_received=now) is None
    assert watchdog.check(155.0, connected=True, packets_received=149) is None
    assert watchdog.check(155.1, connected=True, packets_received=149) == "the client stopped responding"


def test_the_default_timeouts_find_a_lost_client_within_ten_seconds():
    timeouts = PeerTimeouts()
    assert max(timeouts.connect_s, timeouts.silence_s) + timeouts.check_interval_s < 9.5


def with_peer(work):
    async def go():
        peer = Peer()
        try:
            return await work(peer)
        finally:
            await peer.close()
            assert peer.ended.done()

    with loopback_only():
        return asyncio.run(asyncio.wait_for(go(), 20))


def test_an_offer_that_aiortc_cannot_answer_is_refused():
    async def work(peer):
        await peer.close()
        await peer.answer(Offer(sdp="v=0\r\n", sends_audio=False, receives_audio=False, ufrag=""), sending=[])

    with pytest.raises(OfferError, match="cannot be answered") as caught:
        with_peer(work)
    assert caught.value.problem == "unsupported"


def test_trickled_candidates_are_bounded():
    async def work(peer):
        added = []

        async def add(candidate):
            added.append(candidate)

        peer.connection.addIceCandidate = add
        fragment = read_fragment("m=video 9 x 0\na=mid:0\n" + "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\n" * 40)
        for _ in range(3):
            await peer.add_candidates(fragment.candidates)
        return len(added)

    assert with_peer(work) == MAX_CANDIDATES
