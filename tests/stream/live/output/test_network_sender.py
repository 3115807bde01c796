"""The process that sends a stream; a file takes the place of the network address."""

import os

import av
import pytest

from emocolor.errors import SinkError
from stream.live.output.destinations import Destination
from stream.live.output.network_sender import NetworkSender
from tests.stream.live.stream_server import make_stream


def sender_to(path):
    return NetworkSender(Destination(kind="network", shown="rtmp://host/app/***", name=str(path), format="mpegts"))


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
