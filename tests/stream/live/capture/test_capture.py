"""An input that is lost and comes back: over TCP, with the server ended and started again.

Between two tries, captures wait on a clock that the tests move.
"""

import threading
from dataclasses import replace

import numpy as np
import pytest

from stream.live.capture.capture import Capture, CaptureOptions
from stream.live.capture.inputs import parse_input
from tests.stream.live.manual_clock import ManualClock
from tests.stream.live.rtsp_server import RtspServer
from tests.stream.live.stream_server import StreamServer, make_stream

PATIENCE_S = 40


SECONDS = 20
"""Longer than any test: streams end when their server is stopped."""


@pytest.fixture(scope="module")
def stream():
    return make_stream(SECONDS)


@pytest.fixture(scope="module")
def short_stream():
    return make_stream(1)


class Listener:
    """Keeps what comes, and waits for it."""

    def __init__(self):
        self.frames, self.packets, self.connections, self.ends = [], [], [], []
        self._changed = threading.Condition()

    def connected(self, connection):
        self._note(self.connections, connection)

    def frame_captured(self, captured):
        self._note(self.frames, captured)

    def audio_captured(self, packet):
        self._note(self.packets, packet)

    def packets_skipped(self, count):
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


@pytest.fixture
def capture():
    """Makes running captures, and ends them."""
    running = []

    def start(source, **more):
        listener = Listener()
        running.append(Capture(source, listener, listener.ended, **more))
        running[-1].start()
        return running[-1], listener

    yield start
    for one in running:
        one.stop()


def test_a_stream_that_breaks_off_is_read_again(stream, capture, caplog):
    """The timeline goes on meanwhile."""
    clock = ManualClock()
    with StreamServer(stream, SECONDS) as server:
        running, listener = capture(parse_input(server.url), clock=clock)
        listener.wait(lambda one: len(one.frames) > 20)
        assert running.state == "live"
    clock.wait_for_sleepers()
    assert "Trying again in 0.5 s." in caplog.text
    before = len(listener.frames)
    with StreamServer(stream, SECONDS, port=server.port):
        clock.advance(0.5)
        listener.wait(lambda one: len(one.frames) > before + 10)
        assert running.losses == 1
    assert len(listener.connections) == 2
    times = [captured.frame.time for captured in listener.frames]
    assert (np.diff(times) > 0).all()
    assert times[before] - times[before - 1] == pytest.approx(0.5, abs=0.1)
    assert np.delete(np.diff(times), before - 1) == pytest.approx(1 / 25, abs=1e-3)
    assert listener.packets[0].format == listener.packets[-1].format
    assert listener.ends == []


def test_delays_grow_and_after_a_healthy_while_start_anew(stream, capture, caplog):
    clock = ManualClock()
    with StreamServer(stream, SECONDS) as server:
        port = server.port
    running, listener = capture(parse_input(server.url), clock=clock)
    for delay_s in (0.5, 1):
        clock.wait_for_sleepers()
        assert f"Trying again in {delay_s:g} s." in caplog.text
        assert running.state == "waiting"
        clock.advance(delay_s)
    clock.wait_for_sleepers()
    assert "Trying again in 2 s." in caplog.text
    assert "the connection was refused" in caplog.text
    with StreamServer(stream, SECONDS, port=port):
        clock.advance(2)
        listener.wait(lambda one: len(one.frames) > 5)
        assert running.state == "live"
        clock.advance(CaptureOptions().healthy_s)
    caplog.clear()
    clock.wait_for_sleepers()
    assert "Trying again in 0.5 s." in caplog.text
    assert running.state == "lost"
    assert listener.ends == []


def test_a_short_connection_does_not_shorten_delays(stream, capture, caplog):
    clock = ManualClock()
    with StreamServer(stream, SECONDS) as server:
        _, listener = capture(parse_input(server.url), clock=clock)
        listener.wait(lambda one: len(one.frames) > 5)
    clock.wait_for_sleepers()
    assert "Trying again in 0.5 s." in caplog.text
    with StreamServer(stream, SECONDS, port=server.port):
        clock.advance(0.5)
        listener.wait(lambda one: len(one.connections) == 2)
        before = len(listener.frames)
        listener.wait(lambda one: len(one.frames) > before)
    clock.wait_for_sleepers()
    assert "Trying again in 1 s." in caplog.text


def test_a_peer_that_falls_silent_is_tried_again(stream, capture):
    with StreamServer(stream, SECONDS, silent_after=1.2) as server:
        running, listener = capture(replace(parse_input(server.url), timeout_s=0.8))
        listener.wait(lambda one: len(one.connections) == 2)
        assert running.losses == 1


def test_once_ends_at_the_first_loss(short_stream, capture):
    with StreamServer(short_stream, 1, real_time=False) as server:
        _, listener = capture(parse_input(server.url), once=True)
        listener.wait(lambda one: one.ends)
    assert listener.ends == [None], "it came to its end"
    _, listener = capture(parse_input(server.url), once=True)
    listener.wait(lambda one: one.ends)
    assert "refused" in str(listener.ends[0])
    assert listener.ends[0].exit_code == 4


def test_a_recording_ends_by_itself(make_clip, capture):
    running, listener = capture(parse_input(str(make_clip(frames=5))))
    listener.wait(lambda one: one.ends)
    assert listener.ends == [None]
    assert len(listener.frames) == 5
    assert running.losses == 0


def test_an_input_that_is_stopped_is_not_lost(stream, capture):
    with StreamServer(stream, SECONDS) as server:
        running, listener = capture(parse_input(server.url))
        listener.wait(lambda one: len(one.frames) > 5)
        running.stop()
        assert running.losses == 0


def test_an_input_may_be_opened_before_it_is_read(short_stream, make_clip):
    listener = Listener()
    with StreamServer(short_stream, 1, real_time=False) as server:
        capture = Capture(parse_input(server.url), listener, listener.ended, once=True)
        capture.open()
        assert listener.frames == []
        capture.start()
        listener.wait(lambda one: one.ends)
        assert server.served == 1, "and is not opened a second time"
    unread = Capture(parse_input(str(make_clip(frames=5))), listener, listener.ended)
    unread.open()
    unread.close()


def test_the_end_does_not_wait_for_a_dead_peer(capture):
    clock = ManualClock()
    with StreamServer(b"never sent", 1, silent_after=0) as server:
        running, listener = capture(replace(parse_input(server.url), timeout_s=60.0), clock=clock)
        assert server.connected.wait(PATIENCE_S)
        stopping = threading.Thread(target=running.stop)
        stopping.start()
        clock.wait_for_sleepers()
        clock.advance(CaptureOptions().join_timeout_s)
        stopping.join(PATIENCE_S)
        assert not stopping.is_alive()
    assert listener.ends == []


def test_a_bug_is_reported_and_nobody_waits(make_clip):
    class Broken(Listener):
        def frame_captured(self, captured):
            raise RuntimeError("no room")

    listener = Broken()
    Capture(parse_input(str(make_clip(frames=5))), listener, listener.ended).start()
    listener.wait(lambda one: one.ends)
    assert "no room" in str(listener.ends[0])


def test_a_wrong_password_is_not_tried_again(capture):
    """Cameras lock accounts after a few wrong ones."""
    with RtspServer(login=("me", "right")) as server:
        _, listener = capture(parse_input(server.url("me:wrong@")), clock=ManualClock())
        listener.wait(lambda heard: heard.ends)
        (error,) = listener.ends
        assert "refuses the login" in str(error)
        assert server.connections == 1


def test_a_login_that_was_good_may_be_refused_a_few_times(capture):
    """As by a camera that is still starting."""
    clock = ManualClock()
    with RtspServer(1, login=("me", "right")) as server:
        running, listener = capture(parse_input(server.url("me:right@")), clock=clock)
        listener.wait(lambda heard: heard.frames)
        server.change_login(("me", "other"))
        for _ in range(3):
            clock.wait_for_sleepers()
            assert listener.ends == []
            clock.advance(60)
        listener.wait(lambda heard: heard.ends)
        assert "refuses the login" in str(listener.ends[0])
        assert running.losses == 1
