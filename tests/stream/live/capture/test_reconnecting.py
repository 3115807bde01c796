"""An input that is lost and comes back: over TCP, with the server ended and started again."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from stream.live.capture import reconnecting
from stream.live.capture.inputs import parse_input
from stream.live.capture.reconnecting import BackOff, Capture
from tests.stream.live.stream_server import StreamServer, make_stream

PATIENCE_S = 40


@pytest.fixture(scope="module")
def stream():
    return make_stream(3)


class Receiver:
    """Keeps what comes, and waits for it."""

    def __init__(self):
        self.pictures, self.sounds, self.connections, self.ends = [], [], [], []
        self._changed = threading.Condition()

    def connected(self, connection):
        self._note(self.connections, connection)

    def picture(self, captured):
        self._note(self.pictures, captured)

    def sound(self, packet):
        self._note(self.sounds, packet)

    def skipped(self, packets):
        pass

    def ended(self, error):
        self._note(self.ends, error)

    def wait(self, found):
        with self._changed:
            assert self._changed.wait_for(lambda: found(self), PATIENCE_S)

    def _note(self, kept, item):
        with self._changed:
            kept.append(item)
            self._changed.notify_all()


def eventually(found):
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def capture():
    """Makes running captures, and ends them."""
    running = []

    def start(source, **more):
        receiver = Receiver()
        running.append(Capture(source, receiver, receiver.ended, **more))
        running[-1].start()
        return running[-1], receiver

    yield start
    for one in running:
        one.stop()


def test_pauses_grow_to_ten_seconds():
    back_off = BackOff()
    assert [back_off.next() for _ in range(7)] == [0.5, 1, 2, 4, 8, 10, 10]
    back_off.reset()
    assert back_off.next() == 0.5


def test_a_stream_that_breaks_off_is_taken_up_again(stream, capture, caplog):
    with StreamServer(stream, 3) as server:
        running, receiver = capture(parse_input(server.url))
        receiver.wait(lambda r: len(r.pictures) > 20)
        assert running.state == "live"
    receiver.wait(lambda r: running.state == "lost")
    with StreamServer(stream, 3, port=server.port):
        receiver.wait(lambda r: len(r.connections) == 2 and r.pictures[-1].received_at > r.pictures[20].received_at + 1)
    times = [captured.frame.time for captured in receiver.pictures]
    assert (np.diff(times) > 0).all()
    gap = int(np.argmax(np.diff(times)))
    passed = receiver.pictures[gap + 1].received_at - receiver.pictures[gap].received_at
    assert times[gap + 1] - times[gap] == pytest.approx(passed, abs=0.1), "the timeline went on meanwhile"
    assert receiver.sounds[0].form == receiver.sounds[-1].form
    assert receiver.ends == []
    assert "Trying again in 0.5 s." in caplog.text


def test_after_a_while_that_went_well_pauses_are_short_again(stream, capture, caplog, monkeypatch):
    monkeypatch.setattr(reconnecting, "HEALTHY_S", 0.5)
    with StreamServer(stream, 3) as server:
        port = server.port
        running, receiver = capture(parse_input(server.url))
        receiver.wait(lambda r: len(r.pictures) > 20)
    receiver.wait(lambda r: running.state == "lost")
    with StreamServer(stream, 3, port=port):
        receiver.wait(lambda r: len(r.connections) == 2)
        connected = time.monotonic()
        receiver.wait(lambda r: r.pictures[-1].received_at > connected + 1)
    eventually(lambda: caplog.text.count("Trying again in 0.5 s.") == 2)


def test_a_stream_that_is_not_there_yet_is_waited_for(stream, capture, caplog):
    with StreamServer(stream, 3) as server:
        port = server.port
    _, receiver = capture(parse_input(server.url))
    eventually(lambda: "Trying again in 1 s." in caplog.text)
    assert receiver.ends == []
    assert "the connection was refused" in caplog.text
    with StreamServer(stream, 3, port=port):
        receiver.wait(lambda r: len(r.pictures) > 5)


def test_a_peer_that_falls_silent_is_left_for_another_try(stream, capture):
    with StreamServer(stream, 3, silent_after=1.2) as server:
        running, receiver = capture(replace(parse_input(server.url), silence_s=0.8))
        receiver.wait(lambda r: len(r.connections) == 2)
        assert running.losses == 1


def test_once_ends_at_the_first_loss(stream, capture):
    with StreamServer(stream, 3) as server:
        _, receiver = capture(parse_input(server.url), once=True)
        receiver.wait(lambda r: r.ends)
    assert receiver.ends == [None], "it came to its end"
    _, receiver = capture(parse_input(server.url), once=True)
    receiver.wait(lambda r: r.ends)
    assert "refused" in str(receiver.ends[0])
    assert receiver.ends[0].exit_code == 4


def test_a_recording_ends_by_itself(make_clip, capture):
    running, receiver = capture(parse_input(str(make_clip(frames=5))))
    receiver.wait(lambda r: r.ends)
    assert receiver.ends == [None]
    assert len(receiver.pictures) == 5
    assert running.losses == 0


def test_an_input_that_is_left_is_not_lost(stream, capture):
    with StreamServer(stream, 3) as server:
        running, receiver = capture(parse_input(server.url))
        receiver.wait(lambda r: len(r.pictures) > 5)
        running.stop()
        assert running.losses == 0


def test_an_input_may_be_opened_before_it_is_read(stream, make_clip):
    receiver = Receiver()
    with StreamServer(stream, 3) as server:
        capture = Capture(parse_input(server.url), receiver, receiver.ended, once=True)
        capture.open()
        assert receiver.pictures == []
        capture.start()
        receiver.wait(lambda r: r.ends)
        assert server.served == 1, "and is not opened a second time"
    unread = Capture(parse_input(str(make_clip(frames=5))), receiver, receiver.ended)
    unread.open()
    unread.close()


def test_an_end_does_not_wait_for_a_dead_peer(stream, capture, monkeypatch):
    monkeypatch.setattr(reconnecting, "FAREWELL_S", 0.3)
    with StreamServer(stream, 3, silent_after=1.2) as server:
        running, receiver = capture(replace(parse_input(server.url), silence_s=6.0))
        receiver.wait(lambda r: len(r.pictures) > 15)
        ended = threading.Thread(target=running.stop)
        ended.start()
        ended.join(3)
        assert not ended.is_alive()
    assert receiver.ends == []


def test_a_defect_of_ours_is_told_and_nobody_waits(make_clip, caplog):
    class Broken(Receiver):
        def picture(self, captured):
            raise RuntimeError("no room")

    receiver = Broken()
    Capture(parse_input(str(make_clip(frames=5))), receiver, receiver.ended).start()
    receiver.wait(lambda r: r.ends)
    assert "no room" in str(receiver.ends[0])
