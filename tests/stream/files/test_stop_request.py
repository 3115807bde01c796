import contextlib
import os
import threading

import pytest

from stream.files.stop_request import Cancelled, StopRequest


@pytest.fixture
def full_pipe():
    """The writing end of a pipe that takes no more."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(65536))
    yield writing
    os.close(reading)
    os.close(writing)


def outcome_of(wait, act):
    """What a wait in another thread ends with after ``act``."""
    outcome = []

    def run():
        try:
            outcome.append(wait())
        except Exception as error:
            outcome.append(type(error))

    thread = threading.Thread(target=run)
    thread.start()
    act()
    thread.join(10)
    return outcome[0]


def test_a_stop_ends_the_wait_for_data():
    reading, writing = os.pipe()
    request = StopRequest()
    os.write(writing, b"x")
    assert request.wait_readable(reading)
    os.read(reading, 1)
    assert outcome_of(lambda: request.wait_readable(reading), request.stop) is False
    assert (request.is_stopping, request.is_cancelled) == (True, False)
    os.close(writing)
    os.close(reading)


def test_a_stop_gives_the_reader_of_a_pipe_its_last_chance(full_pipe):
    request = StopRequest(stall_limit_s=0.05)
    assert outcome_of(lambda: request.wait_writable(full_pipe), request.stop) is TimeoutError


def test_a_cancellation_ends_every_wait(full_pipe):
    request = StopRequest()
    assert outcome_of(lambda: request.wait_writable(full_pipe), request.cancel) is Cancelled
    assert request.is_stopping
    with pytest.raises(Cancelled):
        request.pause(60)


def test_a_pipe_with_room_is_writable_in_every_state_but_the_last():
    reading, writing = os.pipe()
    request = StopRequest()
    request.wait_writable(writing)
    request.stop()
    request.stop()
    request.wait_writable(writing)
    request.cancel()
    with pytest.raises(Cancelled):
        request.wait_writable(writing)
    os.close(reading)
    os.close(writing)
