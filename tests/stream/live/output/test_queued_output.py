"""An output behind its handoff: slow, failing, opened again, finished. The outputs here keep what they get."""

import threading
from fractions import Fraction

import av
import pytest

from emocolor.errors import SinkError
from emocolor.frames import ColorSpec
from stream.live.audio import AudioFormat, AudioPacket
from stream.live.media_clock import TICK
from stream.live.output.canvas import Canvas
from stream.live.output.queued_output import OutputFormat, QueuedOutput, QueueOptions
from tests.stream.live.manual_clock import ManualClock

PATIENCE_S = 30
CAPACITY = QueueOptions().frames


def audio_format_of(clip):
    with av.open(str(clip)) as container:
        return AudioFormat.of(container.streams.audio[0])


@pytest.fixture
def aac(make_clip):
    return audio_format_of(make_clip("aac.mkv", audio=[{"codec": "aac", "parts": 4}]))


@pytest.fixture
def output_format(aac):
    return OutputFormat(Canvas((16, 16), ColorSpec()), Fraction(25), aac)


def frame(index):
    made = av.VideoFrame(16, 16, "yuv420p")
    made.pts, made.time_base = index * 3600, TICK
    return made


def packet(audio_format, time_s):
    return AudioPacket(
        format=audio_format, data=b"x", pts=round(time_s * 1000), dts=0, duration=20, time_base=Fraction(1, 1000)
    )


class Kept:
    """What an output got, over all its openings."""

    def __init__(self):
        self.frames, self.packets, self.opened, self.finished, self.aborted = [], [], 0, 0, 0
        self.gate = threading.Event()
        self.gate.set()
        self.breaks_at = set()
        self._changed = threading.Condition()

    def open(self, output_format):
        self.note(opened=1)
        return KeepingOutput(self)

    def note(self, **counts):
        with self._changed:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)
            self._changed.notify_all()

    def wait(self, found):
        with self._changed:
            assert self._changed.wait_for(lambda: found(self), PATIENCE_S)


class KeepingOutput:
    def __init__(self, kept):
        self._kept = kept

    def write(self, frame):
        assert self._kept.gate.wait(PATIENCE_S)
        if len(self._kept.frames) in self._kept.breaks_at:
            self._kept.breaks_at.remove(len(self._kept.frames))
            raise SinkError("it broke.")
        self._kept.note(frames=[frame.pts // 3600])

    def write_audio(self, packet):
        self._kept.note(packets=[packet.time])

    def finish(self):
        self._kept.note(finished=1)

    def abort(self):
        self._kept.note(aborted=1)


@pytest.fixture
def running():
    """Makes running outputs, and ends them."""
    made = []

    def start(kept, **more):
        failures = []
        made.append(QueuedOutput("out", kept.open, failures.append, **more))
        made[-1].start()
        return made[-1], failures

    yield start
    for one in made:
        one.close()


def test_it_is_opened_by_the_first_frame_and_finished_at_the_end(running, output_format):
    kept = Kept()
    output, failures = running(kept)
    for index in range(5):
        output.put_frame(frame(index), output_format)
    output.close()
    assert (kept.frames, kept.opened, kept.finished, kept.aborted) == ([0, 1, 2, 3, 4], 1, 1, 0)
    assert (output.frames, output.drops, output.error, failures) == (5, {}, None, [])


def test_without_a_frame_nothing_is_opened(running, aac):
    kept = Kept()
    output, _ = running(kept)
    output.put_audio(packet(aac, 0))
    output.close()
    assert (kept.opened, output.error) == (0, None)


def test_a_slow_output_drops_the_oldest_and_blocks_nobody(running, output_format):
    kept = Kept()
    kept.gate.clear()
    output, _ = running(kept)
    output.put_frame(frame(0), output_format)
    kept.wait(lambda one: one.opened)
    for index in range(1, 100):
        output.put_frame(frame(index), output_format)
    kept.gate.set()
    output.close()
    assert kept.frames[-CAPACITY:] == list(range(100 - CAPACITY, 100))
    assert output.drops == {"slow output, frame": 100 - len(kept.frames)}
    assert len(kept.frames) <= CAPACITY + 2


def test_audio_from_the_first_frame_on_is_kept(running, output_format, aac):
    kept = Kept()
    output, _ = running(kept)
    for time in (0.9, 1.0, 1.1):
        output.put_audio(packet(aac, time))
    output.put_frame(frame(25), output_format)
    output.put_audio(packet(aac, 1.2))
    output.close()
    assert kept.packets == [1.0, 1.1, 1.2]


def test_audio_of_another_format_is_left_out(running, output_format, make_clip):
    opus = audio_format_of(make_clip("opus.mkv", audio=[{"codec": "libopus", "parts": 4}]))
    kept = Kept()
    output, _ = running(kept)
    output.put_frame(frame(0), output_format)
    output.put_audio(packet(opus, 1))
    output.close()
    assert kept.packets == []
    assert output.drops == {"other audio format": 1}


def test_a_failure_is_reported_once_and_later_frames_are_ignored(running, output_format):
    kept = Kept()
    kept.breaks_at = {2}
    output, failures = running(kept)
    for index in range(3):
        output.put_frame(frame(index), output_format)
    kept.wait(lambda one: one.aborted)
    for index in range(3, 30):
        output.put_frame(frame(index), output_format)
    output.close()
    assert kept.frames == [0, 1]
    assert failures == [output]
    assert str(output.error) == "it broke."
    assert kept.finished == 0


def test_an_output_that_fails_is_opened_again_after_a_delay(running, output_format, caplog):
    clock, kept = ManualClock(), Kept()
    kept.breaks_at = {1}
    output, failures = running(kept, reopens=True, clock=clock)
    for index in range(2):
        output.put_frame(frame(index), output_format)
        kept.wait(lambda one, index=index: len(one.frames) + one.aborted > index)
    clock.wait_for_sleepers()
    assert "it broke. Trying again in 0.5 s." in caplog.text
    for index in range(2, 7):
        output.put_frame(frame(index), output_format)
    clock.advance(0.5)
    index = 7
    while kept.opened < 2:  # what came during the delay is dropped, so the next frame opens it
        output.put_frame(frame(index), output_format)
        index += 1
    output.close()
    assert (kept.opened, kept.aborted, kept.finished) == (2, 1, 1)
    assert kept.frames == sorted(kept.frames)
    assert output.drops["output unavailable, frame"] >= 5
    assert failures == []


def test_at_the_end_an_output_that_fails_is_not_tried_again(running, output_format):
    kept = Kept()
    kept.gate.clear()
    kept.breaks_at = {0}
    output, failures = running(kept, reopens=True)
    output.put_frame(frame(0), output_format)
    output.stop()
    kept.gate.set()
    output.close()
    assert (kept.opened, str(output.error)) == (1, "it broke.")
    assert failures == [output]


def test_delays_start_anew_after_many_frames(running, output_format, caplog):
    clock, kept = ManualClock(), Kept()
    kept.breaks_at = {0, 3}
    output, _ = running(kept, reopens=True, clock=clock, options=QueueOptions(healthy_frames=3))
    output.put_frame(frame(0), output_format)
    clock.wait_for_sleepers()
    clock.advance(0.5)
    index = 1
    while len(kept.frames) < 3 or kept.aborted < 2:
        output.put_frame(frame(index), output_format)
        index += 1
    clock.wait_for_sleepers()
    output.stop()
    output.close()
    assert caplog.text.count("Trying again in 0.5 s.") == 2


def test_an_output_that_never_finishes_is_left_behind(running, output_format):
    clock, kept = ManualClock(), Kept()
    kept.gate.clear()
    output, _ = running(kept, clock=clock)
    output.put_frame(frame(0), output_format)
    closing = threading.Thread(target=output.close)
    closing.start()
    clock.wait_for_sleepers()
    clock.advance(QueueOptions().finish_timeout_s)
    closing.join(PATIENCE_S)
    assert "could not be finished in 10 s" in str(output.error)
    kept.gate.set()


def test_a_bug_ends_the_output_alone(output_format):
    failures = []

    def broken(output_format):
        raise RuntimeError("no room")

    output = QueuedOutput("out", broken, failures.append)
    output.start()
    output.put_frame(frame(0), output_format)
    output.close()
    assert str(output.error) == "Internal error: RuntimeError('no room')."
    assert failures == [output]
