import os
import threading

import pytest

from stream.files.pipes import PipeReader, PipeWriter, is_pipe
from stream.files.stop_request import Cancelled, StopRequest


@pytest.fixture
def named_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_what_is_written_is_read_to_the_end(named_pipe):
    """A writer that opens later is waited for, and so is a reader."""
    stop, data = StopRequest(), os.urandom(300_000)
    assert is_pipe(named_pipe)

    def write():
        with PipeWriter(named_pipe, stop) as writer:
            assert writer.write(data) == len(data)

    thread = threading.Thread(target=write)
    thread.start()
    reader = PipeReader(named_pipe, stop)
    read = b"".join(iter(lambda: reader.read(70_000), b""))
    thread.join(10)
    assert read == data
    assert reader.name == f"pipe:{named_pipe}"


def test_a_stop_ends_a_pipe_that_nobody_writes(named_pipe):
    stop = StopRequest()
    reader = PipeReader(named_pipe, stop)
    stop.stop()
    assert reader.read(10) == b""


def test_a_named_pipe_that_nobody_reads_is_given_up_at_a_stop(named_pipe):
    stop = StopRequest()
    writer = PipeWriter(named_pipe, stop)
    stop.stop()
    with pytest.raises(TimeoutError, match="nobody reads it"):
        writer.write(b"x")
    stop.cancel()
    with pytest.raises((Cancelled, TimeoutError)):
        writer.write(b"x")


def test_a_reader_that_is_gone_is_an_error():
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(BrokenPipeError), PipeWriter(writing, StopRequest()) as writer:
        writer.write(b"x")
    os.close(writing)


def test_a_stalled_reader_is_waited_for_until_everything_is_dropped():
    reading, writing = os.pipe()
    stop, outcome = StopRequest(), []

    def write():
        with PipeWriter(writing, stop) as writer:
            try:
                writer.write(bytes(1 << 20))
            except Cancelled:
                outcome.append("cancelled")

    thread = threading.Thread(target=write)
    thread.start()
    assert os.read(reading, 1) == b"\0"  # it has begun
    stop.cancel()
    thread.join(10)
    assert outcome == ["cancelled"]
    assert os.get_blocking(writing), "other users of the pipe must notice nothing"
    os.close(reading)
    os.close(writing)


def test_devices_take_everything():
    from pathlib import Path

    with PipeWriter(Path("/dev/null"), StopRequest()) as writer:
        assert writer.write(bytes(100_000)) == 100_000
    assert not is_pipe(Path("/dev/null"))
    assert not is_pipe(Path("/nowhere"))
