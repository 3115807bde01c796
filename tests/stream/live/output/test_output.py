"""An output behind its hand-over: slow, failing, coming back, finishing. The outputs here keep what they get."""

import threading
from fractions import Fraction

import av
import pytest

from emocolor.errors import SinkError
from emocolor.frames import ColorSpec
from stream.live.audio import AudioFormat, AudioPacket
from stream.live.capture import reconnecting
from stream.live.media_clock import TICK
from stream.live.output import output as outputs
from stream.live.output.canvas import Canvas
from stream.live.output.output import PICTURES, Form, OutputThread

PATIENCE_S = 30


@pytest.fixture
def sound(make_clip):
    with av.open(str(make_clip("sound.mkv", audio=[{"codec": "aac", "parts": 4}]))) as container:
        return AudioFormat.of(container.streams.audio[0])


@pytest.fixture
def form(sound):
    return Form(Canvas((16, 16), ColorSpec()), Fraction(25), sound)


def picture(index):
    made = av.VideoFrame(16, 16, "yuv420p")
    made.pts, made.time_base = index * 3600, TICK
    return made


def tone(form, time_s):
    return AudioPacket(form=form, data=b"x", pts=round(time_s * 1000), dts=0, duration=20, time_base=Fraction(1, 1000))


class Kept:
    """What an output got, over all its openings."""

    def __init__(self):
        self.pictures, self.sounds, self.opened, self.finished, self.aborted = [], [], 0, 0, 0
        self.gate = threading.Event()
        self.gate.set()
        self.breaks_at = set()
        self.changed = threading.Condition()

    def open(self, form):
        self._note(opened=1)
        return Output(self)

    def _note(self, **counts):
        with self.changed:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)
            self.changed.notify_all()

    def wait(self, found):
        with self.changed:
            assert self.changed.wait_for(lambda: found(self), PATIENCE_S)


class Output:
    def __init__(self, kept):
        self._kept = kept

    def write(self, picture):
        assert self._kept.gate.wait(PATIENCE_S)
        if len(self._kept.pictures) in self._kept.breaks_at:
            self._kept.breaks_at.remove(len(self._kept.pictures))
            raise SinkError("it broke.")
        self._kept._note(pictures=[picture.pts // 3600])

    def write_audio(self, packet):
        self._kept._note(sounds=[packet.time])

    def finish(self):
        self._kept._note(finished=1)

    def abort(self):
        self._kept._note(aborted=1)


@pytest.fixture
def thread():
    """Makes running outputs, and ends them."""
    made = []

    def start(kept, **more):
        failures = []
        made.append(OutputThread("out", kept.open, failures.append, **more))
        made[-1].start()
        return made[-1], failures

    yield start
    for one in made:
        one.close()


def test_it_is_opened_by_the_first_picture_and_finished_at_the_end(thread, form):
    kept = Kept()
    output, failures = thread(kept)
    for index in range(5):
        output.put_picture(picture(index), form)
    output.close()
    assert (kept.pictures, kept.opened, kept.finished, kept.aborted) == ([0, 1, 2, 3, 4], 1, 1, 0)
    assert (output.pictures, output.drops, output.error, failures) == (5, {}, None, [])


def test_without_a_picture_nothing_is_opened(thread, sound):
    kept = Kept()
    output, _ = thread(kept)
    output.put_audio(tone(sound, 0))
    output.close()
    assert (kept.opened, output.error) == (0, None)


def test_a_slow_output_drops_the_oldest_and_holds_nobody_up(thread, form):
    kept = Kept()
    kept.gate.clear()
    output, _ = thread(kept)
    output.put_picture(picture(0), form)
    kept.wait(lambda k: k.opened)
    for index in range(1, 100):
        output.put_picture(picture(index), form)
    kept.gate.set()
    output.close()
    assert kept.pictures[-PICTURES:] == list(range(100 - PICTURES, 100))
    assert output.drops == {"slow output, picture": 100 - len(kept.pictures)}
    assert 100 - len(kept.pictures) >= 99 - PICTURES - 1


def test_sound_from_the_first_picture_on_is_kept(thread, form, sound):
    kept = Kept()
    output, _ = thread(kept)
    for time in (0.9, 1.0, 1.1):
        output.put_audio(tone(sound, time))
    output.put_picture(picture(25), form)
    output.put_audio(tone(sound, 1.2))
    output.close()
    assert kept.sounds == [1.0, 1.1, 1.2]


def test_sound_of_another_form_is_left_out(thread, form, make_clip):
    with av.open(str(make_clip("other.mkv", audio=[{"codec": "libopus", "parts": 4}]))) as container:
        other = AudioFormat.of(container.streams.audio[0])
    kept = Kept()
    output, _ = thread(kept)
    output.put_picture(picture(0), form)
    output.put_audio(tone(other, 1))
    output.close()
    assert kept.sounds == []
    assert output.drops == {"sound of another form": 1}


def test_a_failure_is_told_once_and_later_pictures_are_left_out(thread, form):
    kept = Kept()
    kept.breaks_at = {2}
    output, failures = thread(kept)
    for index in range(3):
        output.put_picture(picture(index), form)
    kept.wait(lambda k: k.aborted)
    for index in range(3, 30):
        output.put_picture(picture(index), form)
    output.close()
    assert kept.pictures == [0, 1]
    assert output.drops == {}
    assert failures == [output]
    assert str(output.error) == "it broke."
    assert kept.finished == 0


def test_an_output_that_comes_back_is_opened_again(thread, form, monkeypatch, caplog):
    monkeypatch.setattr(reconnecting, "FIRST_DELAY_S", 0.05)
    kept = Kept()
    kept.breaks_at = {1}
    output, failures = thread(kept, comes_back=True)
    for index in range(10_000):
        output.put_picture(picture(index), form)
        with kept.changed:
            kept.changed.wait_for(lambda: kept.opened == 2 and len(kept.pictures) > 3, 0.01)
        if kept.opened == 2 and len(kept.pictures) > 3:
            break
    output.close()
    assert (kept.opened, kept.aborted, kept.finished) == (2, 1, 1)
    assert kept.pictures == sorted(kept.pictures)
    assert failures == []
    assert "it broke. Trying again in 0.05 s." in caplog.text


def test_at_the_end_an_output_that_fails_is_not_tried_again(thread, form):
    kept = Kept()
    kept.gate.clear()
    kept.breaks_at = {0}
    output, failures = thread(kept, comes_back=True)
    output.put_picture(picture(0), form)
    output.end()
    kept.gate.set()
    output.close()
    assert (kept.opened, str(output.error)) == (1, "it broke.")
    assert failures == [output]


def test_an_output_that_never_finishes_is_left_behind(thread, form, monkeypatch):
    monkeypatch.setattr(outputs, "FINISH_S", 0.2)
    kept = Kept()
    kept.gate.clear()
    output, _ = thread(kept)
    output.put_picture(picture(0), form)
    output.close()
    assert "could not be finished in 0.2 s" in str(output.error)
    kept.gate.set()


def test_a_defect_of_ours_ends_the_output_alone(form):
    failures = []

    def broken(form):
        raise RuntimeError("no room")

    output = OutputThread("out", broken, failures.append)
    output.start()
    output.put_picture(picture(0), form)
    output.close()
    assert str(output.error) == "Internal error: RuntimeError('no room')."
    assert failures == [output]
