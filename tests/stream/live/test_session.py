"""A live session from end to end: real nets, real effects, frames at any pace; on a clock that the tests move."""

import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from stream.live.controls import Controls
from stream.live.quality import LEVELS, ControllerOptions
from stream.live.session import LiveSession, downscaled
from stream.media.frames import frame_from_av
from tests.stream.live.manual_clock import ManualClock

PATIENCE_S = 60
PAPER = {"tint.base": "gray", "tint.certainty": 0.0}
"""The tint covers the whole frame, whatever the emotion."""


class Sink:
    """Keeps what was delivered, and waits for it."""

    def __init__(self):
        self.rendered = []
        self.errors = []
        self.refusals = []
        self._changed = threading.Condition()

    def deliver(self, rendered):
        self._note(self.rendered, rendered)

    def failed(self, error):
        self._note(self.errors, error)

    def refused(self, error):
        self._note(self.refusals, error)

    def wait(self, found):
        with self._changed:
            assert self._changed.wait_for(lambda: found(self), PATIENCE_S), self.errors

    def _note(self, kept, item):
        with self._changed:
            kept.append(item)
            self._changed.notify_all()


class CountingClassifier:
    """Another classifier, and how many analyses it has done."""

    def __init__(self, classifier):
        self._classifier = classifier
        self._done = 0
        self._changed = threading.Condition()

    def classify(self, found, quality):
        observation = self._classifier.classify(found, quality)
        with self._changed:
            self._done += 1
            self._changed.notify_all()
        return observation

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: self._done >= count, PATIENCE_S)


@pytest.fixture
def live(running_classifier):
    """Makes running sessions, and ends them."""
    opened = []

    def start(effect="tint", values=(), *, classifier=None, **more):
        sink = Sink()
        controls = Controls().changed({"effect": effect, **dict(values)})
        session = LiveSession(
            classifier or running_classifier,
            controls,
            sink.deliver,
            failed=sink.failed,
            refused=sink.refused,
            **{"clock": ManualClock()} | more,
        )
        session.start()
        opened.append(session)
        return session, sink

    yield start
    for session in opened:
        session.close()


@pytest.fixture(scope="module")
def face_planes(demo_clip):
    """The frames of a clip up to where its camera swings off the face, there and back, so that they follow each other
    without end."""
    with av.open(str(demo_clip)) as source:
        there = [
            frame.to_ndarray(format="yuv420p") for _, frame in zip(range(16), source.decode(video=0), strict=False)
        ]
    return [*there, *there[-2:0:-1]]


def frame_of(planes, time_s):
    decoded = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    return frame_from_av(decoded, pts=round(time_s * 90000), time_base=Fraction(1, 90000))


def plain(time_s, luma=100, size_wh=(64, 48)):
    width, height = size_wh
    planes = (
        np.full((height, width), luma, np.uint8),
        *(np.full((height // 2, width // 2), 128, np.uint8) for _ in range(2)),
    )
    return Frame(
        planes=planes,
        format=PIXEL_FORMATS["yuv420p"],
        color=ColorSpec(matrix="bt601", full_range=False, primaries="bt601-525", transfer="sdr"),
        pts=round(time_s * 90000),
        time_base=Fraction(1, 90000),
    )


def test_a_face_is_seen_and_the_frame_takes_its_colour(live, running_classifier, face_planes):
    classifier = CountingClassifier(running_classifier)
    session, sink = live("tint", {**PAPER, "tint.alpha": 1.0}, classifier=classifier)

    def show(numbers):
        for k in numbers:
            session.submit(frame_of(face_planes[k % len(face_planes)], k / 25))
            sink.wait(lambda one, k=k: len(one.rendered) == k + 1)
            classifier.wait(k // 6)  # one is due every 3.1 frames: media time must not run away from analysis

    show(range(60))
    scene, frame = sink.rendered[-1].scene, sink.rendered[-1].frame
    assert len(scene.faces) == 1
    assert scene.certainty > 0.6
    assert len(np.unique(frame.luma)) == 1, "alpha 1 leaves the colour alone"
    # Analyses go on with frames as they came in, not as they were rendered.
    show(range(60, 120))
    assert {len(rendered.scene.faces) for rendered in sink.rendered[60:]} == {1}
    assert {rendered.scene.faces[0].presence for rendered in sink.rendered[60:]} == {1.0}
    # After a jump in time it has not been seen yet.
    session.submit(frame_of(face_planes[0], 900))
    sink.wait(lambda one: one.rendered[-1].frame.time == 900)
    assert sink.rendered[-1].scene.faces == ()


def test_frames_come_out_in_order_with_the_newest_last(live):
    session, sink = live("none")
    for k in range(200):
        session.submit(plain(k / 30))
    sink.wait(lambda one: one.rendered and one.rendered[-1].frame.pts == 199 * 3000)
    session.close()
    times = [rendered.frame.pts for rendered in sink.rendered]
    assert times == sorted(set(times))
    snapshot = session.snapshot()
    assert snapshot.frames_in == 200
    assert snapshot.frames_out + snapshot.drops.get("newer frame", 0) == 200


def test_while_one_frame_is_delivered_one_waits_and_the_rest_is_dropped(running_classifier):
    clock, gate, delivered = ManualClock(), threading.Event(), []
    first = threading.Event()

    def slow(rendered):
        delivered.append(rendered.frame.pts)
        first.set()
        assert gate.wait(PATIENCE_S)

    session = LiveSession(running_classifier, Controls().changed({"effect": "none"}), slow, clock=clock)
    session.start()
    session.submit(plain(0))
    assert first.wait(PATIENCE_S)
    for k in range(1, 100):
        session.submit(plain(k / 30))
    gate.set()
    session.close(drain_s=PATIENCE_S)
    assert delivered == [0, 99 * 3000]
    assert session.snapshot().drops == {"newer frame": 98}


def test_latency_is_measured_from_receipt_to_delivery(live):
    clock = ManualClock(50.0)
    session, sink = live("none", clock=clock)
    clock.advance(0.25)
    session.submit(plain(0), received_at=50.0)
    sink.wait(lambda one: one.rendered)
    session.close()
    assert sink.rendered[0].received_at == 50.0
    assert session.snapshot().latency_ms["p50"] == 250


def test_quality_is_reduced_where_latency_exceeds_the_budget(live):
    clock = ManualClock(50.0)
    options = ControllerOptions(budget_s=0.1, patience_down_s=1.0)
    session, sink = live("none", clock=clock, options=options)
    for k in range(2):
        session.submit(plain(k / 30), received_at=clock.now() - 0.5)
        sink.wait(lambda one, k=k: len(one.rendered) == k + 1)
        clock.advance(1.0)
    session.close()
    assert session.level == 1
    assert session.quality == LEVELS[1]


def test_a_change_of_controls_reaches_the_frames(live):
    session, sink = live("tint", {**PAPER, "tint.alpha": 0.0})
    session.submit(plain(0))
    sink.wait(lambda one: len(one.rendered) == 1)
    assert sink.rendered[0].frame.luma[0, 0] == 100
    session.change(session.controls.changed({"tint.alpha": 1.0, "tint.palette": "s0"}))
    k = 0
    while sink.rendered[-1].frame.luma[0, 0] == 100:
        k += 1
        session.submit(plain(k / 30))
        sink.wait(lambda one, k=k: len(one.rendered) > k)
    assert sink.rendered[-1].frame.luma[0, 0] == pytest.approx(16 + 219 * 200 / 255, abs=1), "neutral of s0"


def test_late_frames_are_dropped_and_a_jump_starts_anew(live, face_planes):
    session, sink = live("none")
    for k, at in enumerate((10.0, 10.04, 500.0, 500.04, 3.0)):
        session.submit(frame_of(face_planes[0], at))
        sink.wait(lambda one, k=k: len(one.rendered) == k + 1)
    session.submit(frame_of(face_planes[0], 2.5))
    session.close(drain_s=PATIENCE_S)
    assert session.snapshot().drops == {"out of order": 1}
    assert [round(rendered.frame.time, 2) for rendered in sink.rendered] == [10.0, 10.04, 500.0, 500.04, 3.0]


def test_the_size_may_change_in_mid_stream(live, face_planes):
    session, sink = live("colorize,tint:0.2,overlay")
    for k, size in enumerate([(480, 270), (64, 48), (322, 182), (480, 270)]):
        resized = frame_of(face_planes[0], k / 30).handle.reformat(*size)
        session.submit(frame_from_av(resized, pts=3000 * k, time_base=Fraction(1, 90000)))
        sink.wait(lambda one, k=k: len(one.rendered) == k + 1)
        assert sink.rendered[-1].frame.size_wh == size


def test_a_bug_ends_the_session_and_is_reported_once(running_classifier):
    sink = Sink()

    def broken(rendered):
        raise RuntimeError("no room")

    session = LiveSession(running_classifier, Controls().changed({"effect": "none"}), broken, failed=sink.failed)
    session.start()
    session.submit(plain(0))
    sink.wait(lambda one: one.errors)
    session.submit(plain(1))
    session.close()
    session.close()
    assert [str(error) for error in sink.errors] == ["Internal error: RuntimeError('no room')."]


@pytest.mark.parametrize("size_wh", [(1280, 720), (640, 360)])
def test_a_downscaled_frame_means_the_same_colours(size_wh):
    """Without tags, codes count as BT.709 from 720 lines up and as BT.601 below, whatever is then made of them."""
    frame = frame_from_av(av.VideoFrame(*size_wh, "yuv420p"), pts=7, time_base=Fraction(1, 30))
    assert frame.color.matrix == ("bt709" if size_wh[1] == 720 else "bt601")
    small = downscaled(frame, 0.5)
    assert small.size_wh == (size_wh[0] // 2, size_wh[1] // 2)
    assert (small.color, small.time) == (frame.color, frame.time)
    assert downscaled(frame, 1) is frame
