"""One WebRTC connection with a client: answered, supervised, and closed within bounded time."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from aiortc import MediaStreamTrack, RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InternalError, InvalidAccessError, InvalidStateError, OperationError
from aiortc.rtcicetransport import RTCIceCandidate

from emocolor.errors import OfferError

from ..clock import SYSTEM_CLOCK, Clock
from .aiortc_internals import accept_rsa_certificates, gather_candidates
from .h264_profiles import with_original_profiles
from .offers import Offer
from .remote_candidates import CheckBudget, RemoteCandidates

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PeerTimeouts:
    """How long a connection may take for what."""

    connect_s: float = 7.5
    """ICE and DTLS, from the answer on."""
    silence_s: float = 6.5
    """Without any packet. Clients that only watch send RTCP receiver reports every second or so (RFC 3550). aiortc's
    own consent checks (RFC 7675) take half a minute to notice that a peer is gone."""
    close_s: float = 3.0
    """Closing, before it is left to itself."""
    check_interval_s: float = 1.0
    """Between two looks at the connection."""


class Watchdog:
    """Tells when a connection has failed to come up, or has fallen silent. Times are passed in, in seconds."""

    def __init__(self, timeouts: PeerTimeouts) -> None:
        self._timeouts = timeouts
        self._answered_at: float | None = None
        self._packets = 0
        self._received_at = 0.0

    def start(self, now: float) -> None:
        """The client's offer has been answered. Before that nothing times out: the server may have nets to load."""
        self._answered_at = self._received_at = now

    def check(self, now: float, *, connected: bool, packets_received: int) -> str | None:
        """Why the connection should end; ``None`` while it is fine. ``packets_received`` counts from its start."""
        if self._answered_at is None:
            return None
        if not connected:
            late = now - self._answered_at > self._timeouts.connect_s
            return "the connection was not established in time" if late else None
        if packets_received != self._packets:
            self._packets, self._received_at = packets_received, now
            return None
        silent = now - self._received_at > self._timeouts.silence_s
        return "the client stopped responding" if silent else None


class Peer:
    """A connection on the event loop. ``ended`` resolves to the reason once it has failed, closed or fallen silent."""

    def __init__(
        self,
        ice_servers: Sequence[RTCIceServer] = (),
        *,
        timeouts: PeerTimeouts | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=list(ice_servers)))
        accept_rsa_certificates(self.connection)
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.etag = f'"{secrets.token_hex(8)}"'
        """Entity tag of the ICE session (RFC 9725, section 4.3.1), of which a peer has one."""
        self.remote_ufrag = ""
        """The client's ICE user name fragment."""
        self._timeouts = timeouts or PeerTimeouts()
        self._clock = clock
        self._candidates = RemoteCandidates()
        self._watchdog = Watchdog(self._timeouts)
        self._supervision = asyncio.create_task(self._supervise(), name="peer")
        self._closing: asyncio.Task[None] | None = None
        self.connection.on("connectionstatechange", self._state_changed)

    async def answer(self, offer: Offer, *, sending: Sequence[MediaStreamTrack], sends_only: bool = False) -> str:
        """Returns the SDP answer, with all ICE candidates of this server.

        ``sends_only``: receive nothing, even where the client offers to send. Handlers for ``track`` and
        ``datachannel`` must be set before. Raises ``OfferError`` where an offer passed ``read_offer`` but cannot be
        answered, and ``CapacityError`` where no socket can be opened.
        """
        self.remote_ufrag, self._candidates = offer.ufrag, offer.candidates
        try:
            await self.connection.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
            for track in sending:
                self.connection.addTrack(track)
            if sends_only:
                for transceiver in self.connection.getTransceivers():
                    transceiver.direction = "sendonly"
            await gather_candidates(self.connection, CheckBudget(), self._clock)
            await self.connection.setLocalDescription(await self.connection.createAnswer())
        except (ValueError, InternalError, InvalidAccessError, InvalidStateError, OperationError):
            raise OfferError("unsupported", "This offer cannot be answered.") from None
        self._watchdog.start(self._clock.now())
        return with_original_profiles(str(self.connection.localDescription.sdp), offer.h264_parameters)

    async def add_candidates(self, candidates: Sequence[RTCIceCandidate]) -> None:
        """Add candidates that came after the offer (trickle ICE, RFC 8838), those that are accepted."""
        for candidate in candidates:
            if self._candidates.accept(candidate.ip, candidate.port):
                await self.connection.addIceCandidate(candidate)

    def end(self, reason: str) -> None:
        """Declare the connection over, if it is not yet; ``close`` frees it."""
        if not self.ended.done():
            self.ended.set_result(reason)

    async def close(self) -> None:
        """Tell the client over DTLS and free the sockets, within ``PeerTimeouts.close_s``."""
        self.end("closed")
        self._supervision.cancel()
        self._closing = self._closing or asyncio.create_task(self.connection.close())
        done, _ = await asyncio.wait([self._closing], timeout=self._timeouts.close_s)
        if not done:
            log.warning("a connection did not close within %.0f s", self._timeouts.close_s)

    def _state_changed(self) -> None:
        state = self.connection.connectionState
        if state == "failed":
            self.end("the connection failed")
        elif state == "closed":
            self.end("the client closed the connection")

    async def _supervise(self) -> None:
        while not self.ended.done():
            await self._clock.sleep(self._timeouts.check_interval_s)
            connected = self.connection.connectionState == "connected"
            packets = await self._packets_received() if connected else 0
            reason = self._watchdog.check(self._clock.now(), connected=connected, packets_received=packets)
            if reason is not None:
                self.end(reason)

    async def _packets_received(self) -> int:
        report = await self.connection.getStats()
        return sum(entry.packetsReceived for entry in report.values() if entry.type == "transport")
