"""What publications share."""

import asyncio

from aiortc import RTCIceServer

from stream.live.controls import DEFAULT_CONTROLS
from stream.live.webrtc.peer import PeerTimeouts
from stream.live.webrtc.resources import Resources


def test_peers_get_the_settings_of_the_server():
    resources = Resources(
        classifier=None,
        nets=None,
        controls=DEFAULT_CONTROLS,
        ice_servers=(RTCIceServer("stun:stun.example.org"),),
        timeouts=PeerTimeouts(close_s=0.5),
    )

    async def go():
        peer = resources.make_peer()
        await peer.close()
        return peer

    peer = asyncio.run(go())
    assert peer.ended.result() == "closed"
    configured = peer.connection._RTCPeerConnection__configuration.iceServers
    assert configured == list(resources.ice_servers)
