"""A small RTSP server on loopback (RFC 2326), as cameras have one: it can want a login, refuse TCP, and fall silent."""

import base64
import contextlib
import re
import socket
import threading
import time
from fractions import Fraction

import av

from tests.stream.live.stream_server import gray_frame

RATE, SIZE_WH = 25, (160, 120)
DESCRIPTION = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
    "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:video\r\n"
)


def make_units(seconds):
    """The NAL units of each frame, small enough for a packet each."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = *SIZE_WH, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(RATE), Fraction(1, RATE)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "12", "slice-max-size": "1000"}
    frames = [gray_frame(index, SIZE_WH, 120) for index in range(round(seconds * RATE))]
    packets = [bytes(packet) for frame in [*frames, None] for packet in encoder.encode(frame)]
    return [[unit for unit in re.split(b"\0\0\0?\1", packet) if unit] for packet in packets]


class RtspServer:
    """Serves one stream to everyone who connects, until it is stopped.

    ``login`` is a user and a password, ``udp_only`` refuses RTP over TCP, and after ``silent_after`` frames nothing
    more is sent, with the connection left open.
    """

    def __init__(self, seconds=10, *, login=None, udp_only=False, silent_after=None):
        self._units = make_units(seconds)
        self._login, self._udp_only, self._silent_after = login, udp_only, silent_after
        self._stopped = threading.Event()
        self.silent_at = None
        """When it fell silent, on the monotonic clock."""
        self.connections = 0
        self._open = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for one in [self._listening, *self._open]:
            one.close()

    def url(self, login=""):
        return f"rtsp://{login}127.0.0.1:{self.port}/live"

    def change_login(self, login):
        """Want another login from now on, and end the connections."""
        self._login = login
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        with contextlib.suppress(OSError):
            while not self._stopped.is_set():
                connection, _ = self._listening.accept()
                self.connections += 1
                self._open.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection):
        send = None
        with connection, contextlib.suppress(OSError):
            connection.settimeout(0.2)
            received = b""
            while not self._stopped.is_set():
                try:
                    data = connection.recv(65536)
                except TimeoutError:
                    continue
                if not data:
                    return
                received += data
                while b"\r\n\r\n" in received:
                    head, _, received = received.partition(b"\r\n\r\n")
                    send = self._respond(connection, head.decode(errors="replace"), send)

    def _respond(self, connection, request, send):
        """Answer one request; returns what sends RTP packets, once there is something."""
        method = request.split(" ", 1)[0]
        number = re.search(r"CSeq: *(\d+)", request, re.IGNORECASE)[1]
        status, headers, body = "200 OK", {"Session": "1"}, ""
        if method == "OPTIONS":
            headers = {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"}
        elif self._login is not None and not self._is_let_in(request):
            status, headers = "401 Unauthorized", {"WWW-Authenticate": 'Basic realm="camera"'}
        elif method == "DESCRIBE":
            headers, body = {"Content-Type": "application/sdp"}, DESCRIPTION
        elif method == "SETUP":
            status, headers, send = self._set_up(connection, request)
        head = "".join(f"{name}: {value}\r\n" for name, value in {**headers, "Content-Length": len(body)}.items())
        connection.sendall(f"RTSP/1.0 {status}\r\nCSeq: {number}\r\n{head}\r\n{body}".encode())
        if method == "PLAY":
            self._threads.append(threading.Thread(target=self._play, args=(send,)))
            self._threads[-1].start()
        return send

    def _is_let_in(self, request):
        expected = base64.b64encode(":".join(self._login).encode()).decode()
        return f"Authorization: Basic {expected}" in request

    def _set_up(self, connection, request):
        ports = re.search(r"client_port=(\d+)", request)
        if ports is None and self._udp_only:
            return "461 Unsupported Transport", {}, None
        if ports is None:
            transport = "RTP/AVP/TCP;unicast;interleaved=0-1"
            return (
                "200 OK",
                {"Session": "1", "Transport": transport},
                lambda packet: connection.sendall(b"$\0" + len(packet).to_bytes(2, "big") + packet),
            )
        sender = socket.socket(type=socket.SOCK_DGRAM)
        self._open.append(sender)
        sender.bind(("127.0.0.1", 0))
        own, port = sender.getsockname()[1], int(ports[1])
        transport = f"RTP/AVP;unicast;client_port={port}-{port + 1};server_port={own}-{own + 1}"
        headers = {"Session": "1", "Transport": transport}
        return "200 OK", headers, lambda packet: sender.sendto(packet, ("127.0.0.1", port))

    def _play(self, send):
        sequence = 0
        with contextlib.suppress(OSError):
            for index, units in enumerate(self._units):
                if index == self._silent_after:
                    self.silent_at = time.monotonic()
                    return
                if self._stopped.wait(1 / RATE):
                    return
                for unit in units:
                    last = unit is units[-1]
                    stamp = (index * 90_000 // RATE) % 2**32
                    head = bytes([0x80, 96 | 128 * last]) + sequence.to_bytes(2, "big") + stamp.to_bytes(4, "big")
                    send(head + b"\0\0\0\1" + unit)
                    sequence = (sequence + 1) % 65_536
