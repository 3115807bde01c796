"""A stream on loopback that tests can break: MPEG-TS over TCP or HTTP, mostly in real time."""

import contextlib
import io
import socket
import threading
from fractions import Fraction

import av
import numpy as np

RATE = 25
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n"


def make_stream(seconds, *, size_wh=(160, 120), luma=120, audio=True):
    """MPEG-TS: frames of plain gray with a bar that moves, and a tone; key frames twice a second."""
    memory = io.BytesIO()
    container = av.open(memory, "w", format="mpegts")
    options = {"preset": "ultrafast", "g": "12", "tune": "zerolatency"}
    video = container.add_stream("libx264", rate=RATE, options=options)
    video.width, video.height, video.pix_fmt = *size_wh, "yuv420p"
    tone = container.add_stream("aac", rate=48000) if audio else None
    played = 0
    for index in range(round(seconds * RATE)):
        container.mux(video.encode(gray_frame(index, size_wh, luma)))
        while tone is not None and played < (index + 1) * 48000 // RATE:
            container.mux(tone.encode(_tone(played)))
            played += 1024
    for stream in (video, *([tone] if tone else [])):
        container.mux(stream.encode(None))
    container.close()
    return memory.getvalue()


def gray_frame(index, size_wh, luma):
    width, height = size_wh
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    planes[:height, index * 2 % width :][:, :4] = luma + 60
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts, frame.time_base = index, Fraction(1, RATE)
    return frame


def _tone(start):
    wave = (0.2 * np.sin(2 * np.pi * 440 * (np.arange(1024) + start) / 48000)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
    return frame


class StreamServer:
    """Sends a stream from its start to everyone who connects, until it is stopped or the stream ends."""

    def __init__(self, stream, seconds, *, port=0, http=False, silent_after=None, real_time=True):
        """``silent_after``: seconds after which nothing more is sent, with the connection left open.

        Without ``real_time`` the stream is sent as fast as it is read.
        """
        self._stream, self._slices, self._http = stream, round(seconds * RATE), http
        self._silent_after = None if silent_after is None else round(silent_after * RATE)
        self._interval_s = 1 / RATE if real_time else 0
        self._stopped = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", port), reuse_port=False)
        self.port = self._listening.getsockname()[1]
        self.url = f"{'http' if http else 'tcp'}://127.0.0.1:{self.port}"
        self.connected = threading.Event()
        """Set once somebody has connected."""
        self.served = 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self):
        """End all connections and free the port."""
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes accept
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._listening.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()

    def _accept(self):
        with contextlib.suppress(OSError):
            while not self._stopped.is_set():
                connection, _ = self._listening.accept()
                self.served += 1
                self.connected.set()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection):
        # A peer that goes away, and one that reads nothing, end the sending, never the test.
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            if self._http:
                connection.recv(65536)
                connection.sendall(HEAD)
            size = -(-len(self._stream) // self._slices)
            for index in range(self._slices):
                if index == self._silent_after:
                    self._stopped.wait(60)
                if self._stopped.wait(self._interval_s):
                    return
                self._send(connection, self._stream[index * size : (index + 1) * size])
            self._send(connection, b"")

    def _send(self, connection, data):
        connection.sendall(b"%x\r\n%s\r\n" % (len(data), data) if self._http else data)
