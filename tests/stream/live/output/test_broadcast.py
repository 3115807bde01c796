"""Every frame to every target in one format, and the last one repeated where none comes in; on a clock by hand."""

import threading
from fractions import Fraction

import numpy as np
import pytest

from emocolor.faces import Scene
from stream.live.media_clock import TICK
from stream.live.output.broadcast import Broadcast
from stream.live.session import RenderedFrame
from stream.media.frames import frame_from_av
from tests.stream.live.manual_clock import ManualClock
from tests.stream.live.stream_server import gray_frame

PATIENCE_S = 30
RATE = Fraction(25)
SCENE = Scene(time=0.0, faces=(), probabilities=np.full(7, 1 / 7), certainty=0.0)


class Kept:
    """What a target got, and when."""

    def __init__(self):
        self.frames, self.formats, self.packets = [], [], []
        self._changed = threading.Condition()

    def put_frame(self, frame, output_format):
        with self._changed:
            self.frames.append(frame)
            self.formats.append(output_format)
            self._changed.notify_all()

    def put_audio(self, packet):
        self.packets.append(packet)

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.frames) >= count, PATIENCE_S)

    @property
    def times(self):
        return [float(frame.pts * TICK) for frame in self.frames]


def rendered(time_s, size_wh=(160, 120), luma=120):
    frame = frame_from_av(gray_frame(0, size_wh, luma), pts=round(time_s / TICK), time_base=TICK)
    return RenderedFrame(frame, SCENE, 0.0)


def median_luma(frame):
    return np.median(frame.to_ndarray()[: frame.height])


@pytest.fixture
def clock():
    return ManualClock(1000.0)


@pytest.fixture
def kept():
    return Kept(), Kept()


@pytest.fixture
def broadcast(kept, clock):
    made = Broadcast(kept, clock=clock)
    made.connected(RATE, None)
    made.start()
    yield made
    made.close()


@pytest.fixture
def send(broadcast, kept, clock):
    """Sends frames that come in now, and waits until each has arrived."""

    def send(*frames):
        for frame in frames:
            before = len(kept[-1].frames)
            broadcast.frame_received(clock.now())
            broadcast.put(frame)
            kept[-1].wait(before + 1)

    return send


@pytest.fixture
def pass_time(clock, kept):
    """Lets time pass while the broadcast waits for a frame, and waits for ``repeats`` of the last one."""

    def pass_time(seconds, *, repeats=0):
        before = len(kept[0].frames)
        clock.wait_for_sleepers()
        clock.advance(seconds)
        kept[0].wait(before + repeats)
        clock.wait_for_sleepers()

    return pass_time


def test_all_get_the_same_in_the_format_of_the_first(broadcast, kept, send):
    send(rendered(1.0), rendered(1.04, (120, 160)), rendered(1.08, (320, 240)))
    for one in kept:
        assert [(frame.width, frame.height) for frame in one.frames] == [(160, 120)] * 3
        assert one.times == pytest.approx([1.0, 1.04, 1.08])
        assert {output_format.canvas.size_wh for output_format in one.formats} == {(160, 120)}
    assert broadcast.sent == 3


def test_the_first_connection_decides(broadcast, kept, send):
    broadcast.connected(Fraction(5), object())
    send(rendered(0))
    assert (kept[0].formats[0].rate, kept[0].formats[0].audio) == (RATE, None)


def test_audio_passes_through(broadcast, kept):
    broadcast.put_audio("packet")
    assert [one.packets for one in kept] == [["packet"], ["packet"]]


def test_what_is_not_later_than_the_one_before_is_dropped(broadcast, kept, send):
    send(rendered(1.0))
    broadcast.put(rendered(1.0))
    broadcast.put(rendered(0.9))
    broadcast.close()
    assert kept[0].times == [1.0]
    assert broadcast.drops == {"out of order": 2}


def test_silence_is_filled_with_the_last_frame_dimmed(broadcast, kept, send, pass_time):
    send(rendered(5.0, luma=170))
    pass_time(0.9)
    assert broadcast.repeated == 0
    pass_time(0.1, repeats=1)
    for _ in range(11):
        pass_time(1 / 25, repeats=1)
    assert broadcast.repeated == 12
    repeated = kept[0].frames[3]
    assert median_luma(repeated) == pytest.approx(16 + (170 - 16) * 0.4, abs=1)
    assert (repeated.to_ndarray()[:120] > 220).any(), "with a notice"
    assert kept[0].times == pytest.approx([5.0, *(6.0 + k / 25 for k in range(12))], abs=1e-3), "as time passes"


def test_a_frame_ends_the_silence(broadcast, kept, send, pass_time):
    send(rendered(0))
    pass_time(1.0, repeats=1)
    pass_time(0.04, repeats=1)
    send(rendered(500.0), rendered(500.04, luma=60))
    assert kept[0].times[-2:] == pytest.approx([500.0, 500.04])
    assert median_luma(kept[0].frames[-1]) == pytest.approx(60, abs=1)
    pass_time(1.0, repeats=1)
    assert kept[0].times[-1] == pytest.approx(501.04, abs=1e-3)
    assert median_luma(kept[0].frames[-1]) == pytest.approx(16 + 44 * 0.4, abs=1), "the newest is repeated"


def test_frames_that_take_long_to_render_are_no_silence(broadcast, kept, clock, send, pass_time):
    """A net may take longer than a second; the input is there meanwhile."""
    send(rendered(0))
    for _ in range(15):
        broadcast.frame_received(clock.now())
        pass_time(0.2)
    broadcast.put(rendered(3))
    kept[0].wait(2)
    assert broadcast.repeated == 0


def test_slow_inputs_are_silent_after_three_frames(kept, clock):
    broadcast = Broadcast(kept, clock=clock)
    broadcast.connected(Fraction(1, 2), None)
    broadcast.start()
    broadcast.frame_received(clock.now())
    broadcast.put(rendered(0))
    clock.wait_for_sleepers()
    clock.advance(5.9)
    clock.wait_for_sleepers()
    assert broadcast.repeated == 0
    clock.advance(0.1)
    kept[0].wait(2)
    broadcast.close()
    assert broadcast.repeated == 1


def test_before_the_first_frame_nothing_is_repeated(broadcast, kept, clock):
    broadcast.frame_received(clock.now())
    clock.advance(10)
    broadcast.close()
    assert kept[0].frames == []


def test_at_the_end_what_was_rendered_is_sent(kept, clock):
    broadcast = Broadcast(kept, clock=clock)
    broadcast.connected(RATE, None)
    broadcast.frame_received(clock.now())
    broadcast.put(rendered(1))
    broadcast.put(rendered(2))
    broadcast.start()
    broadcast.close()
    assert kept[0].times == [1, 2]
