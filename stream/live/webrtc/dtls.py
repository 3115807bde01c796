"""A certificate for connections with clients whose own certificate is RSA.

aiortc offers cipher suites for ECDSA alone, and it is the DTLS client where the other side leaves that open. So a peer
that has an RSA certificate, as all of GStreamer's have, finds no suite in common and ends the handshake.
"""

from typing import TYPE_CHECKING, Final

from aiortc import RTCCertificate, RTCPeerConnection
from aiortc.rtcdtlstransport import SRTPProtectionProfile

if TYPE_CHECKING:  # aiortc's dependency, not ours
    from OpenSSL import SSL

CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",  # the one that all must have (RFC 8827, section 6.5)
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
)
"""aiortc's, and those for RSA that authenticate what they encrypt; all with forward secrecy."""


class Certificate(RTCCertificate):
    """ECDSA over P-256, as aiortc makes it; the peer's may be ECDSA or RSA."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> "SSL.Context":
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(":".join(CIPHERS).encode())
        return context


def use_certificate(connection: RTCPeerConnection) -> None:
    """Give a connection that has no transport yet a certificate of this kind; aiortc has no public way to do this."""
    given = connection._RTCPeerConnection__certificates  # type: ignore[attr-defined]
    assert [type(one) for one in given] == [RTCCertificate]
    given[:] = [Certificate.generateCertificate()]
