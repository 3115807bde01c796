"""Every picture to every output in one form, and the last one held where none comes in."""

import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from emocolor.faces import Scene
from stream.live.media_clock import TICK
from stream.live.output.broadcast import Broadcast
from stream.live.session import RenderedFrame
from stream.media.frames import wrap
from tests.stream.live.stream_server import gray_picture

PATIENCE_S = 30
RATE = Fraction(25)
SCENE = Scene(time=0.0, faces=(), probabilities=np.full(7, 1 / 7), certainty=0.0)


class Kept:
    """What an output got, and when."""

    def __init__(self):
        self.pictures, self.forms, self.sounds = [], [], []
        self._changed = threading.Condition()

    def put_picture(self, picture, form):
        with self._changed:
            self.pictures.append(picture)
            self.forms.append(form)
            self._changed.notify_all()

    def put_audio(self, packet):
        self.sounds.append(packet)

    def wait(self, found):
        with self._changed:
            assert self._changed.wait_for(lambda: found(self), PATIENCE_S)

    @property
    def times(self):
        return [float(picture.pts * TICK) for picture in self.pictures]


def painted(time_s, size_wh=(160, 120), luma=120):
    frame = wrap(gray_picture(0, size_wh, luma), pts=round(time_s / TICK), time_base=TICK)
    return RenderedFrame(frame, SCENE, time.monotonic())


def median_luma(picture):
    return np.median(picture.to_ndarray()[: picture.height])


@pytest.fixture
def kept():
    return Kept(), Kept()


@pytest.fixture
def broadcast(kept):
    made = Broadcast(kept)
    made.connected(RATE, None)
    made.start()
    yield made
    made.close()


def send(broadcast, kept, *pictures):
    for picture in pictures:
        broadcast.arrived(time.monotonic())
        before = len(kept[0].pictures)
        broadcast.deliver(picture)
        kept[0].wait(lambda k, before=before: len(k.pictures) > before)


def test_all_get_the_same_in_the_form_of_the_first(broadcast, kept):
    send(broadcast, kept, painted(1.0), painted(1.04, (120, 160)), painted(1.08, (320, 240)))
    broadcast.close()
    for one in kept:
        assert [(p.width, p.height) for p in one.pictures[:3]] == [(160, 120)] * 3
        assert one.times[:3] == pytest.approx([1.0, 1.04, 1.08])
        assert {form.canvas.size_wh for form in one.forms} == {(160, 120)}
    assert broadcast.sent == 3


def test_the_first_connection_decides(broadcast, kept):
    broadcast.connected(Fraction(5), object())
    send(broadcast, kept, painted(0))
    assert (kept[0].forms[0].rate, kept[0].forms[0].sound) == (RATE, None)


def test_sound_goes_by(broadcast, kept):
    broadcast.put_audio("packet")
    assert [one.sounds for one in kept] == [["packet"], ["packet"]]


def test_what_is_not_later_than_the_one_before_is_dropped(broadcast, kept):
    send(broadcast, kept, painted(1.0))
    broadcast.arrived(time.monotonic())
    broadcast.deliver(painted(1.0))
    broadcast.deliver(painted(0.9))
    broadcast.close()
    assert kept[0].times == [1.0]
    assert broadcast.drops == {"out of order": 2}


def test_silence_is_filled_with_the_last_picture_dimmed(broadcast, kept):
    began = time.monotonic()
    send(broadcast, kept, painted(5.0, luma=170))
    kept[0].wait(lambda k: len(k.pictures) > 12)
    passed = time.monotonic() - began
    assert passed >= 1.0
    held = kept[0].pictures[1:]
    assert broadcast.holds >= 12
    assert median_luma(held[3]) == pytest.approx(16 + (170 - 16) * 0.4, abs=1)
    assert (held[3].to_ndarray()[:120] > 220).any(), "with a notice"
    times = np.array(kept[0].times)
    assert (np.diff(times) > 0).all()
    assert 1.0 <= times[1] - times[0] <= passed
    assert times[-1] - times[0] <= passed + 0.001, "media time goes on as time does"


def test_a_picture_ends_the_silence(broadcast, kept):
    send(broadcast, kept, painted(0))
    kept[0].wait(lambda k: len(k.pictures) > 3)
    send(broadcast, kept, painted(500.0), painted(500.04, luma=60))
    assert kept[0].times[-2:] == pytest.approx([500.0, 500.04])
    assert median_luma(kept[0].pictures[-1]) == pytest.approx(60, abs=1)
    kept[0].wait(lambda k: k.times[-1] > 500.5)
    assert median_luma(kept[0].pictures[-1]) == pytest.approx(16 + 44 * 0.4, abs=1), "what is held next is the newest"


def test_pictures_that_are_long_in_painting_are_no_silence(broadcast, kept):
    """A net may take longer than a second; the input is there meanwhile."""
    send(broadcast, kept, painted(0))
    for _ in range(15):
        broadcast.arrived(time.monotonic())
        threading.Event().wait(0.1)
    broadcast.deliver(painted(1.5))
    kept[0].wait(lambda k: len(k.pictures) > 1)
    assert broadcast.holds == 0


def test_before_the_first_picture_nothing_is_held(broadcast, kept):
    threading.Event().wait(1.3)
    assert kept[0].pictures == []


def test_at_the_end_what_was_painted_is_sent(kept):
    broadcast = Broadcast(kept)
    broadcast.connected(RATE, None)
    broadcast.deliver(painted(1))
    broadcast.deliver(painted(2))
    broadcast.start()
    broadcast.close()
    assert kept[0].times == [1, 2]
