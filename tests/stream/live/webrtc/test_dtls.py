"""Clients whose certificate is RSA, as GStreamer's are."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiortc import RTCCertificate, RTCPeerConnection
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from stream.live.webrtc.dtls import Certificate, use_certificate
from tests.stream.live.webrtc.test_publication import plain
from tests.stream.live.webrtc_clients import Camera, Client, running

pytestmark = pytest.mark.timeout(120)
SDP = {"Content-Type": "application/sdp"}


class RsaCertificate(RTCCertificate):
    """With which only suites for RSA can be agreed on."""

    @classmethod
    def generateCertificate(cls):
        key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WebRTC")])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
        return cls(key=key, cert=builder.not_valid_after(now + timedelta(hours=1)).sign(key, hashes.SHA256()))

    def _create_ssl_context(self, srtp_profiles):
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(b"ECDHE+AESGCM")
        return context


def test_a_client_with_an_rsa_certificate_publishes(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            client = Client()
            client.connection._RTCPeerConnection__certificates[:] = [RsaCertificate.generateCertificate()]
            client.connection.addTransceiver(Camera([plain(100)]), direction="sendonly")
            status, head, answer = await server.call("POST", "/whip", data=await client.offer(), headers=SDP)
            assert status == 201
            assert b"a=setup:active" in answer, "the server is the DTLS client: the client's certificate decides"
            await client.accept(answer.decode())
            await client.wait_connected()
            assert (await server.call("DELETE", head["Location"]))[0] == 200
            await client.close()

    asyncio.run(asyncio.wait_for(go(), 100))


def test_a_connection_takes_it():
    """aiortc names the attribute as it likes: this fails where it changes that."""

    async def go():
        connection = RTCPeerConnection()
        use_certificate(connection)
        transport = connection.addTransceiver("video").receiver.transport
        (certificate,) = connection._RTCPeerConnection__certificates
        assert isinstance(certificate, Certificate)
        assert transport.getLocalParameters().fingerprints == certificate.getFingerprints()
        await connection.close()

    asyncio.run(go())
