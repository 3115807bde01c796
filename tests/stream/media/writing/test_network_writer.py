"""A network address as an output: real sockets on this machine."""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import av
import pytest

from emocolor.errors import SinkError
from stream.files.stop_request import Cancelled, StopRequest
from stream.media.writing.network_writer import NetworkWriter, carrier_of
from tests.stream.media.clip_io import process


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def address(server: socket.socket) -> str:
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_what_is_sent_arrives_whole(make_clip: Any, server: socket.socket, tmp_path: Any) -> None:
    clip = make_clip("clip.ts", frames=20, metadata={"title": "A film"})
    received = bytearray()

    def receive() -> None:
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(65536):
                received.extend(data)

    receiver = threading.Thread(target=receive)
    receiver.start()
    process(clip, f"tcp://{address(server)}", format="matroska", preset="ultrafast")
    receiver.join(30)
    (tmp_path / "received.mkv").write_bytes(received)
    with av.open(str(tmp_path / "received.mkv")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20


def test_an_address_that_refuses_is_reported_without_its_secrets(make_clip: Any, server: socket.socket) -> None:
    url = f"rtmp://anna:S3CRET@{address(server)}/app/S3CRET"
    server.close()
    with pytest.raises(SinkError, match=r"Cannot write rtmp://anna:\*\*\*@127\.0\.0\.1:\d+/app/\*\*\*: Connection ref"):
        process(make_clip(frames=20, size_wh=(320, 240)), url, crf=1.0)


def writer_to(server: socket.socket, stop: StopRequest) -> NetworkWriter:
    url = f"rtmp://{address(server)}/app/S3CRET"
    return NetworkWriter(url, shown="rtmp://host/app/***", format_name="flv", carrier="flv", stop=stop)


def test_a_server_that_says_nothing_is_left_at_a_cancellation(server: socket.socket) -> None:
    stop = StopRequest()
    writer = writer_to(server, stop)
    stop.cancel()
    with pytest.raises(Cancelled):
        writer.write(bytes(1 << 20))
    writer.close()
    writer.close()


def test_a_server_that_says_nothing_is_given_up_when_the_job_is_to_finish(server: socket.socket) -> None:
    stop = StopRequest(stall_limit_s=0.2)
    writer = writer_to(server, stop)
    writer.write(b"FLV")
    stop.stop()
    with pytest.raises(SinkError, match="did not accept the end of the stream"):
        writer.finish()
    writer.close()


def test_formats_travel_in_containers_that_can_be_read() -> None:
    assert [carrier_of(name) for name in ("flv", "rtsp", "mpegts", "mp4", "webm")] == [
        "flv", "mpegts", "mpegts", "mp4", "webm",
    ]  # fmt: skip
    assert carrier_of("null") is None
