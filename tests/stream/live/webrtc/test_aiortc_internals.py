"""What is replaced inside aiortc. These tests fail first where a release of aiortc changes its private parts."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import urljoin

import pytest
from aiortc import RTCCertificate, RTCPeerConnection
from aiortc.rtp import RtpPacket
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from emocolor.errors import MissingDependencyError
from stream.live.webrtc.aiortc_internals import (
    accept_rsa_certificates,
    bound_decoder_queue,
    check_version,
    reorder_audio,
)
from stream.live.webrtc.encoded_queue import EncodedQueue
from stream.live.webrtc.reorder_buffer import DEPTH
from tests.stream.live.webrtc_clients import Camera, Client, gray_planes, running

pytestmark = pytest.mark.timeout(120)
SDP = {"Content-Type": "application/sdp"}


class RsaCertificate(RTCCertificate):
    """A certificate with which only cipher suites for RSA can be agreed on, as GStreamer's are."""

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


def with_connection(work):
    """What ``work`` returns for a new connection, on an event loop."""

    async def go():
        connection = RTCPeerConnection()
        try:
            return work(connection)
        finally:
            await connection.close()

    return asyncio.run(go())


@pytest.mark.parametrize("installed", ["1.16.0", "1.16.3"])
def test_known_releases_pass(installed):
    check_version(installed)


@pytest.mark.parametrize("installed", ["1.15.0", "1.17.0", "1.160.0", "2.16.0", "1"])
def test_other_releases_are_refused_in_one_line(installed):
    with pytest.raises(MissingDependencyError) as caught:
        check_version(installed)
    assert str(caught.value) == (
        f"aiortc {installed} is installed, but live sessions need 1.16; "
        "install it with: pip install 'aiortc>=1.16,<1.17'."
    )


def test_a_connection_takes_the_certificate():
    def work(connection):
        accept_rsa_certificates(connection)
        transport = connection.addTransceiver("video").receiver.transport
        (certificate,) = connection._RTCPeerConnection__certificates
        return transport.getLocalParameters().fingerprints, certificate.getFingerprints(), type(certificate)

    announced, own, kind = with_connection(work)
    assert announced == own
    assert issubclass(kind, RTCCertificate)
    assert kind is not RTCCertificate


def test_a_client_with_an_rsa_certificate_publishes(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            client = Client()
            client.connection._RTCPeerConnection__certificates[:] = [RsaCertificate.generateCertificate()]
            client.connection.addTransceiver(Camera([gray_planes(100)]), direction="sendonly")
            status, head, answer = await server.call("POST", "/whip", data=await client.offer(), headers=SDP)
            assert status == 201
            assert b"a=setup:active" in answer, "the server is the DTLS client: the client's certificate decides"
            await client.accept(answer.decode())
            await client.wait_connected()
            assert (await server.call("DELETE", urljoin("/whip", head["Location"])))[0] == 200
            await client.close()

    asyncio.run(asyncio.wait_for(go(), 100))


@pytest.mark.parametrize(("kind", "reason"), [("video", "no key frame"), ("audio", "audio backlog")])
def test_a_receiver_takes_the_bounded_queue(kind, reason):
    drops = Counter()
    frame = SimpleNamespace(name="VP8"), SimpleNamespace(data=b"\x11 no key frame")

    def work(connection):
        receiver = connection.addTransceiver(kind).receiver
        bound_decoder_queue(receiver, kind, lambda why: drops.update([why]))
        return receiver._RTCRtpReceiver__decoder_queue, receiver._RTCRtpReceiver__decoder_error

    queue, error = with_connection(work)
    assert isinstance(queue, EncodedQueue)
    for _ in range(200):
        queue.put(frame)
    assert list(drops) == [reason]
    assert queue.qsize() < 60
    assert error.is_set() == (kind == "video"), "a key frame is requested"
    error.clear()
    error.set()
    assert error.is_set()
    assert drops["undecodable"] == 1


def test_a_receiver_takes_the_reorder_buffer():
    def work(connection):
        receiver = connection.addTransceiver("audio").receiver
        reorder_audio(receiver)
        return receiver._RTCRtpReceiver__jitter_buffer

    buffer = with_connection(work)
    out = []
    for number in (0, 2, 1, *range(3, 10)):
        packet = RtpPacket(sequence_number=number, timestamp=960 * number)
        packet._data = str(number).encode()
        key_frame_wanted, frame = buffer.add(packet)
        assert not key_frame_wanted
        out += [] if frame is None else [(int(frame.data), frame.timestamp)]
    assert out == [(number, 960 * number) for number in range(10 - DEPTH)]
