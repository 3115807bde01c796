"""When a connection counts as failed or silent, and what a peer accepts."""

import asyncio
import contextlib
import re
import socket

import aioice.ice
import pytest

from emocolor.errors import OfferError
from stream.live.webrtc.offers import Offer, read_fragment, read_offer
from stream.live.webrtc.peer import Peer, PeerTimeouts, Watchdog
from stream.live.webrtc.remote_candidates import MAX_UNPROVED, RemoteCandidates
from tests.stream.live.webrtc_clients import loopback_only, offer_of

OFFER = offer_of("video", "audio")
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


def test_trickled_candidates_are_bounded_and_of_the_clients_kind():
    async def work(peer):
        added = []

        async def add(candidate):
            added.append(candidate.port)

        candidates = RemoteCandidates("192.168.0.1", limit=3)
        offer = read_offer(OFFER, "publish and watch", candidates)
        await peer.answer(offer, sending=[])
        used = 3 - offer.sdp.count("a=candidate:")
        peer.connection.addIceCandidate = add
        lines = [f"a=candidate:1 1 udp 1 192.168.0.{k % 2} {5000 + k} typ host" for k in range(8)]
        lines.insert(0, "a=candidate:1 1 udp 1 8.8.8.8 5000 typ host")
        fragment = read_fragment("m=video 9 x 0\na=mid:0\n" + "\n".join(lines))
        for _ in range(3):
            await peer.add_candidates(fragment.candidates)
        return added[:used], used

    added, used = with_peer(work)
    assert added == [5000 + k for k in range(used)]


def test_without_a_network_this_machine_itself_is_offered():
    """aioice finds no address then: it leaves 127.0.0.1 out."""

    async def work(peer):
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: []
        return await peer.answer(read_offer(OFFER, "publish and watch"), sending=[])

    answer = with_peer(work)
    assert set(re.findall(r"^a=candidate:\S+ 1 udp \d+ (\S+)", answer, re.MULTILINE)) == {"127.0.0.1"}


def test_few_checks_go_out_to_the_addresses_that_an_offer_names():
    """A server must not become a tool to flood others with: here they are sockets of the test, which never respond."""

    async def work(peer):
        with contextlib.ExitStack() as stack:
            victims = [stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)) for _ in range(40)]
            for victim in victims:
                victim.bind(("127.0.0.1", 0))
                victim.setblocking(False)
            ports = [victim.getsockname()[1] for victim in victims]
            lines = [f"a=candidate:{port} 1 udp {port} 127.0.0.1 {port} typ host" for port in ports]
            plain = re.sub(r"a=candidate:.*\r\n", "", OFFER)
            text = re.sub(r"(a=mid:\d+\r\n)", "\\1" + "\r\n".join(lines) + "\r\n", plain)
            await peer.answer(read_offer(text, "publish and watch", RemoteCandidates("127.0.0.1")), sending=[])
            assert "not established in time" in await peer.ended
            packets = [0] * len(victims)
            for index, victim in enumerate(victims):
                with contextlib.suppress(BlockingIOError):
                    while victim.recv(2048):
                        packets[index] += 1
            return packets

    packets = with_peer(work)
    assert 0 < sum(packets) <= MAX_UNPROVED
    assert sum(map(bool, packets)) <= 32
