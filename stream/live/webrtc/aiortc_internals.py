"""Everything that reaches into aiortc's private parts, and the check that they are those of a known release.

aiortc has no public way to choose a certificate, to bound connectivity checks or the queue before a decoder, or to
replace a jitter buffer. Each function here replaces one of these in an object that has not started yet.
"""

import queue
import threading
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from aioice import stun
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCCertificate, RTCIceTransport, RTCPeerConnection, RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcdtlstransport import SRTPProtectionProfile
from aiortc.rtp import RtpPacket

from emocolor.errors import CapacityError, MissingDependencyError

from ..clock import Clock
from .encoded_queue import AUDIO_CAPACITY, VIDEO_CAPACITY, EncodedQueue
from .remote_candidates import CheckBudget
from .reorder_buffer import ReorderBuffer

if TYPE_CHECKING:  # a dependency of aiortc's, not of ours
    from OpenSSL import SSL

SUPPORTED: Final = ("1", "16")
"""Major and minor version. A minor release of aiortc may rename what this module touches."""
UNDECODABLE: Final = "undecodable"
"""Why a frame is dropped that the decoder fails on."""
CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",  # mandatory (RFC 8827, section 6.5)
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
)
"""aiortc's suites, and the authenticated ones for RSA. All have forward secrecy."""


def check_version(installed: str) -> None:
    """Raises ``MissingDependencyError`` unless this module knows that release of aiortc."""
    if tuple(installed.split(".")[:2]) != SUPPORTED:
        major, minor = SUPPORTED
        raise MissingDependencyError(
            f"aiortc {installed} is installed, but live sessions need {major}.{minor}; "
            f"install it with: pip install 'aiortc>={major}.{minor},<{major}.{int(minor) + 1}'."
        )


check_version(version("aiortc"))


class _Certificate(RTCCertificate):
    """ECDSA over P-256, as aiortc makes it; the peer's certificate may be ECDSA or RSA."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> "SSL.Context":
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(":".join(CIPHERS).encode())
        return context


class _AudioJitterBuffer(JitterBuffer):
    """A ``ReorderBuffer`` in the form that aiortc's receiver calls."""

    def __init__(self) -> None:
        super().__init__(capacity=16)
        self._reordered: ReorderBuffer[RtpPacket] = ReorderBuffer()

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """The frame whose turn it is, if any. The flag would request a key frame, which audio does not have."""
        ready = self._reordered.add(packet.sequence_number, packet)
        if ready is None:
            return False, None
        return False, JitterFrame(data=ready._data, timestamp=ready.timestamp)  # type: ignore[attr-defined]


class _DecoderError(threading.Event):
    """aiortc's decoder thread sets this event at every frame that it cannot decode. With the next packet, its receiver
    then requests a key frame by sending a PLI (RFC 4585, section 6.3.1)."""

    def __init__(self, on_drop: Callable[[str], None]) -> None:
        super().__init__()
        self._on_drop = on_drop

    def set(self) -> None:
        self._on_drop(UNDECODABLE)
        super().set()

    def request_key_frame(self) -> None:
        """Have a PLI sent although no frame failed."""
        super().set()


def accept_rsa_certificates(connection: RTCPeerConnection) -> None:
    """Let a connection without transports agree on a cipher suite with peers whose certificate is RSA.

    aiortc offers suites for ECDSA alone, and acts as the DTLS client where the offer leaves that open. A peer with an
    RSA certificate, as all of GStreamer's have, would find no common suite and end the handshake.
    """
    certificates = connection._RTCPeerConnection__certificates  # type: ignore[attr-defined]
    assert [type(one) for one in certificates] == [RTCCertificate]
    certificates[:] = [_Certificate.generateCertificate()]


async def gather_candidates(connection: RTCPeerConnection, budget: CheckBudget, clock: Clock) -> None:
    """Open the sockets of a connection that has its remote description; its connectivity checks keep to ``budget``.

    aioice leaves 127.0.0.1 out of its candidates; a machine without a network has nothing else. Raises
    ``CapacityError`` where no socket can be opened.
    """
    for transport in _ice_transports(connection):
        await transport.iceGatherer.gather()
        ice = transport._connection
        if not ice._local_candidates:
            ice._local_candidates += await ice.get_component_candidates(component=1, addresses=["127.0.0.1"])
        if not ice._local_candidates:
            raise CapacityError("The server cannot open a socket for media. Try again in a moment.")
        _keep_to_budget(ice, budget, clock)


def _ice_transports(connection: RTCPeerConnection) -> set[RTCIceTransport]:
    transports = {transceiver.receiver.transport for transceiver in connection.getTransceivers()}
    if connection.sctp is not None:
        transports.add(connection.sctp.transport)
    return {transport.transport for transport in transports}


def _keep_to_budget(ice: Connection, budget: CheckBudget, clock: Clock) -> None:
    check_incoming, check_state = ice.check_incoming, ice.check_state

    def receive(message: stun.Message, address: tuple[str, int], protocol: StunProtocol) -> None:
        if budget.receive(address):
            check_incoming(message, address, protocol)

    def note_state(pair: CandidatePair, state: CandidatePair.State) -> None:
        if state is CandidatePair.State.SUCCEEDED:
            budget.prove(pair.remote_addr)
        check_state(pair, state)

    ice.check_incoming = receive  # type: ignore[method-assign, assignment]
    ice.check_state = note_state  # type: ignore[method-assign]
    for protocol in ice._protocols:
        protocol.send_stun = partial(_send_within, budget, clock, protocol.send_stun)  # type: ignore[method-assign]


def _send_within(
    budget: CheckBudget,
    clock: Clock,
    send: Callable[[stun.Message, tuple[str, int]], None],
    message: stun.Message,
    address: tuple[str, int],
) -> None:
    if message.message_class is not stun.Class.REQUEST or budget.take(address, clock.now()):
        send(message, address)


def bound_decoder_queue(receiver: RTCRtpReceiver, kind: str, on_drop: Callable[[str], None]) -> None:
    """Bound the queue between a receiver that has not started and its decoder; see ``EncodedQueue``.

    ``kind`` is "audio" or "video". ``on_drop`` gets the reason for each dropped frame, from any thread.
    """
    assert isinstance(receiver._RTCRtpReceiver__decoder_error, threading.Event)  # type: ignore[attr-defined]
    assert isinstance(receiver._RTCRtpReceiver__decoder_queue, queue.Queue)  # type: ignore[attr-defined]
    error = _DecoderError(on_drop)
    bounded = (
        EncodedQueue(VIDEO_CAPACITY, on_drop, error.request_key_frame)
        if kind == "video"
        else EncodedQueue(AUDIO_CAPACITY, on_drop, None)
    )
    receiver._RTCRtpReceiver__decoder_error = error  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__decoder_queue = bounded  # type: ignore[attr-defined]


def reorder_audio(receiver: RTCRtpReceiver) -> None:
    """Give an audio receiver that has not started a ``ReorderBuffer`` in place of aiortc's jitter buffer."""
    assert isinstance(receiver._RTCRtpReceiver__jitter_buffer, JitterBuffer)  # type: ignore[attr-defined]
    receiver._RTCRtpReceiver__jitter_buffer = _AudioJitterBuffer()  # type: ignore[attr-defined]
