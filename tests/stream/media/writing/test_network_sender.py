"""The process that sends a stream; a file takes the place of the network address."""

import os
import select
import socket

import av
import pytest

from emocolor.errors import SinkError
from stream.media.writing.network_sender import CONNECT_TIMEOUT_S, NetworkSender
from tests.stream.live.manual_clock import ManualClock
from tests.stream.live.stream_server import make_stream


def sender_to(path, **options):
    return NetworkSender(
        str(path), shown="rtmp://host/app/***", carrier="mpegts", format_name="mpegts", options={}, **options
    )


def write_all(sender, data):
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(sender.descriptor, rest) :]


def test_the_stream_arrives_whole(tmp_path):
    sender = sender_to(tmp_path / "out.ts")
    write_all(sender, make_stream(2))
    sender.close()
    with av.open(str(tmp_path / "out.ts")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 50
    with av.open(str(tmp_path / "out.ts")) as container:
        assert sum(1 for _ in container.decode(audio=0)) > 80


def test_an_address_that_cannot_be_reached_is_reported_without_its_key(tmp_path):
    sender = sender_to(tmp_path / "none" / "out.ts")

    def write_until_it_fails():
        while True:
            write_all(sender, make_stream(2))

    with pytest.raises(BrokenPipeError):
        write_until_it_fails()
    error = sender.failure()
    assert str(error) == "Cannot write rtmp://host/app/***: No such file or directory."
    sender.release()


def test_a_stream_that_cannot_be_read_fails_at_its_end(tmp_path):
    sender = sender_to(tmp_path / "out.ts")
    write_all(sender, b"no stream")
    with pytest.raises(SinkError, match=r"Cannot write rtmp://host/app/\*\*\*: "):
        sender.close()
    sender.release()


def test_a_process_that_is_killed_leaves_nothing_open(tmp_path):
    sender = sender_to(tmp_path / "out.ts")
    sender.kill()
    sender.release()
    with pytest.raises(ProcessLookupError):
        os.kill(sender.pid, 0)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(sender.descriptor)


def test_a_server_that_accepts_and_says_nothing_is_noticed_before_the_pipe_is_full():
    """Without its key, and without waiting for ever."""
    clock = ManualClock()
    with socket.create_server(("127.0.0.1", 0)) as server:
        name = f"rtmp://127.0.0.1:{server.getsockname()[1]}/app/secret-key"
        sender = NetworkSender(
            name, shown="rtmp://127.0.0.1/app/***", carrier="flv", format_name="flv", options={}, now=clock.now
        )
        sender.check_connected()
        clock.advance(CONNECT_TIMEOUT_S + 1)
        with pytest.raises(TimeoutError):
            sender.check_connected()
        error = sender.failure()
        sender.release()
    assert str(error) == "Cannot write rtmp://127.0.0.1/app/***: it does not respond. Check the address."


def test_a_connection_that_stands_is_not_timed(tmp_path):
    clock = ManualClock()
    sender = sender_to(tmp_path / "out.ts", now=clock.now)
    write_all(sender, make_stream(3))
    assert select.select([sender._stdout], [], [], 60)[0]
    clock.advance(1000)
    sender.check_connected()
    sender.close()
