"""One WebRTC connection with a client: answered, watched over, and ended in bounded time."""

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from typing import Final

from aiortc import MediaStreamTrack, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcicetransport import RTCIceCandidate

from .dtls import use_certificate
from .offers import MOST_CANDIDATES, Offer, OfferError

CONNECT_S: Final = 7.5
"""How long ICE and DTLS may take, from the answer on."""
SILENCE_S: Final = 6.5
"""How long nothing may come; even those that only watch send a receiver report every second or so (RFC 3550). aiortc's
own consent checks (RFC 7675) take half a minute to notice a peer that is gone."""
CLOSE_S: Final = 3.0
"""How long closing may take before it is left to itself."""
TICK_S: Final = 1.0

log = logging.getLogger(__name__)


class Peer:
    """A connection on the event loop. ``ended`` is done with the reason once it has failed, closed or fallen silent."""

    def __init__(self, ice_servers: Sequence[RTCIceServer] = ()) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=list(ice_servers)))
        use_certificate(self.connection)
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.etag = f'"{secrets.token_hex(8)}"'
        """Names the ICE session (RFC 9725, section 4.3.1), of which a peer has one."""
        self.remote_username = ""
        """The ICE user name fragment of the client."""
        self._candidates = 0
        self._answered_at: float | None = None
        self._packets, self._heard_at = 0, 0.0
        self._watch = asyncio.create_task(self._watch_over(), name="peer")
        self._closing: asyncio.Task[None] | None = None
        self.connection.on("connectionstatechange", self._state_changed)

    async def answer(self, offer: Offer, *, sending: Sequence[MediaStreamTrack], sends_only: bool = False) -> str:
        """The answer's SDP, with all of this server's candidates.

        ``sends_only``: nothing is received, even where the client offers to send. Handlers for ``track`` and
        ``datachannel`` must be set before. Raises ``OfferError`` for what passed ``read_offer`` and cannot be done.
        """
        self.remote_username = offer.username
        try:
            await self.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            for track in sending:
                self.connection.addTrack(track)
            if sends_only:
                for transceiver in self.connection.getTransceivers():
                    transceiver.direction = "sendonly"
            await self.connection.setLocalDescription(await self.connection.createAnswer())
        except (ValueError, InternalError, InvalidAccessError, InvalidStateError, OperationError):
            raise OfferError(422, "This offer cannot be answered.") from None
        self._answered_at = self._heard_at = time.monotonic()
        return str(self.connection.localDescription.sdp)

    async def add_candidates(self, candidates: Sequence[RTCIceCandidate]) -> None:
        """Take candidates that came after the offer (trickle ICE, RFC 8838); ``MOST_CANDIDATES`` in all."""
        for candidate in candidates[: max(0, MOST_CANDIDATES - self._candidates)]:
            self._candidates += 1
            await self.connection.addIceCandidate(candidate)

    def end(self, reason: str) -> None:
        """Call the connection over, if it is not yet; ``close`` frees it."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def close(self) -> None:
        """Tell the client by DTLS and free the sockets; never takes longer than ``CLOSE_S``."""
        self.end("closed")
        self._watch.cancel()
        self._closing = self._closing or asyncio.create_task(self.connection.close())
        done, _ = await asyncio.wait([self._closing], timeout=CLOSE_S)
        if not done:
            log.warning("a connection did not close within %.0f s", CLOSE_S)

    def _state_changed(self) -> None:
        state = self.connection.connectionState
        if state == "failed":
            self.end("the connection failed")
        elif state == "closed":
            self.end("the client closed the connection")

    async def _watch_over(self) -> None:
        while not self.ended.done():
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            if self._answered_at is None:
                continue
            if self.connection.connectionState != "connected":
                if now - self._answered_at > CONNECT_S:
                    self.end("the connection was not made in time")
                continue
            packets = await self._packets_received()
            if packets != self._packets:
                self._packets, self._heard_at = packets, now
            elif now - self._heard_at > SILENCE_S:
                self.end("nothing comes from the client any more")

    async def _packets_received(self) -> int:
        report = await self.connection.getStats()
        return sum(entry.packetsReceived for entry in report.values() if entry.type == "transport")
