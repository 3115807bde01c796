"""A live picture from end to end: real faces nets, real effects, frames at any pace."""

import threading
import time
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.analysis import AnalysisInput, TrackedFace
from emocolor.errors import EngineError
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from stream.live.controls import Controls
from stream.live.face_judge import BatchedClassifier
from stream.live.mailbox import Closed
from stream.live.quality import LEVELS
from stream.live.session import LiveSession, smaller
from stream.media.frames import wrap

PATIENCE_S = 60


@pytest.fixture(scope="module")
def judge():
    judge = BatchedClassifier()
    judge.start(LEVELS)
    yield judge
    judge.close()


class Sink:
    """Keeps what was delivered, and waits for it."""

    def __init__(self):
        self.painted = []
        self.errors = []
        self._changed = threading.Condition()

    def deliver(self, painted):
        with self._changed:
            self.painted.append(painted)
            self._changed.notify_all()

    def failed(self, error):
        with self._changed:
            self.errors.append(error)
            self._changed.notify_all()

    def wait(self, found):
        with self._changed:
            assert self._changed.wait_for(lambda: found(self), PATIENCE_S), self.errors


@pytest.fixture
def live(judge):
    """Makes running sessions, and ends them."""
    opened = []

    def make(**controls):
        sink = Sink()
        session = LiveSession(judge, Controls(**controls), sink.deliver, failed=sink.failed)
        session.start()
        opened.append(session)
        return session, sink

    yield make
    for session in opened:
        session.close()


@pytest.fixture(scope="module")
def pictures(demo_clip):
    """The frames of a clip up to where its camera swings off the face, forth and back, so that they follow each other
    without end."""
    with av.open(str(demo_clip)) as source:
        forth = [
            picture.to_ndarray(format="yuv420p") for _, picture in zip(range(16), source.decode(video=0), strict=False)
        ]
    return [*forth, *forth[-2:0:-1]]


def frame_of(yuv, time_s):
    picture = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
    return wrap(picture, pts=round(time_s * 90000), time_base=Fraction(1, 90000))


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


def test_a_face_is_seen_and_the_picture_takes_its_colour(live, pictures):
    session, sink = live(alpha=1.0)
    for k in range(400):
        session.offer(frame_of(pictures[k % len(pictures)], k / 25))
        sink.wait(lambda s, k=k: len(s.painted) == k + 1)
        if sink.painted[-1].scene.faces and sink.painted[-1].scene.certainty > 0.6:
            break
        time.sleep(0.01)  # the look goes on beside
    scene, frame = sink.painted[-1].scene, sink.painted[-1].frame
    assert len(scene.faces) == 1
    assert scene.certainty > 0.6
    assert len(np.unique(frame.luma)) == 1, "alpha 1 leaves the colour alone"
    # Looks go on at the picture as it came in, not at what was painted over it.
    after = len(sink.painted)
    for k in range(after, after + 60):
        session.offer(frame_of(pictures[k % len(pictures)], k / 25))
        sink.wait(lambda s, k=k: len(s.painted) == k + 1)
        time.sleep(0.01)
    assert {len(painted.scene.faces) for painted in sink.painted[after:]} == {1}
    assert {painted.scene.faces[0].presence for painted in sink.painted[after:]} == {1.0}
    # After a jump in time it has not been seen yet.
    session.offer(frame_of(pictures[0], 900))
    sink.wait(lambda s: s.painted[-1].frame.time == 900)
    assert sink.painted[-1].scene.faces == ()


def test_frames_come_out_in_order_with_the_newest_last(live):
    session, sink = live(effect="none")
    for k in range(200):
        session.offer(plain(k / 30))
    sink.wait(lambda s: s.painted and s.painted[-1].frame.pts == 199 * 3000)
    times = [painted.frame.pts for painted in sink.painted]
    assert times == sorted(set(times))
    figures = session.snapshot()
    assert figures.frames_in == 200
    assert figures.frames_out + figures.drops.get("newer frame", 0) == 200


def test_a_slow_receiver_drops_frames_and_keeps_latency_bounded(judge):
    """Each delivery takes a while: what waits is one frame, not a queue."""
    latencies, last = [], threading.Event()

    def slow(painted):
        time.sleep(0.05)
        latencies.append(time.monotonic() - painted.received_at)
        if painted.frame.pts == 3000 * 99:
            last.set()

    session = LiveSession(judge, Controls(effect="none"), slow)
    session.start()
    for k in range(100):
        session.offer(plain(k / 30))
        time.sleep(0.01)
    assert last.wait(PATIENCE_S)
    session.close()
    assert session.snapshot().drops["newer frame"] > 30
    assert len(latencies) < 70


def test_a_change_of_controls_reaches_the_picture(live):
    session, sink = live(alpha=0.0)
    session.offer(plain(0))
    sink.wait(lambda s: len(s.painted) == 1)
    assert sink.painted[0].frame.luma[0, 0] == 100
    session.change(session.controls.changed({"alpha": 1.0, "palette": "s0"}))
    for k in range(1, 1000):
        session.offer(plain(k / 30))
        sink.wait(lambda s, k=k: len(s.painted) > k)
        if sink.painted[-1].frame.luma[0, 0] != 100:
            break
    assert sink.painted[-1].frame.luma[0, 0] == pytest.approx(16 + 219 * 200 / 255, abs=1), "neutral of s0"


def test_what_is_late_is_left_out_and_a_jump_begins_anew(live, pictures):
    session, sink = live(effect="none")
    for k, at in enumerate((10.0, 10.04, 500.0, 500.04, 3.0)):
        session.offer(frame_of(pictures[0], at))
        sink.wait(lambda s, k=k: len(s.painted) == k + 1)
    session.offer(frame_of(pictures[0], 2.5))
    for _ in range(PATIENCE_S * 100):
        if session.snapshot().drops.get("out of order"):
            break
        time.sleep(0.01)
    session.offer(frame_of(pictures[0], 3.1))
    sink.wait(lambda s: s.painted[-1].frame.time == pytest.approx(3.1))
    assert [round(painted.frame.time, 2) for painted in sink.painted] == [10.0, 10.04, 500.0, 500.04, 3.0, 3.1]


def test_the_size_may_change_under_way(live, pictures):
    session, sink = live(effect="colorize,tint:0.2", overlay=True)
    for k, size in enumerate([(480, 270), (64, 48), (322, 182), (480, 270)]):
        picture = frame_of(pictures[0], k / 30).handle.reformat(*size)
        session.offer(wrap(picture, pts=3000 * k, time_base=Fraction(1, 90000)))
        sink.wait(lambda s, k=k: len(s.painted) == k + 1)
        assert sink.painted[-1].frame.size_wh == size


def test_an_error_of_ours_ends_the_session_once_and_is_told(judge):
    sink = Sink()

    def broken(painted):
        raise RuntimeError("no room")

    session = LiveSession(judge, Controls(effect="none"), broken, failed=sink.failed)
    session.start()
    session.offer(plain(0))
    sink.wait(lambda s: s.errors)
    session.offer(plain(1))
    session.close()
    assert [str(error) for error in sink.errors] == ["Internal error: RuntimeError('no room')."]


def test_looks_of_several_sessions_are_judged_together_and_apart_alike(judge):
    rng = np.random.default_rng(3)
    crops = [rng.integers(0, 256, (48, 48), np.uint8) for _ in range(5)]
    looks = [look_of(crops[:2]), look_of([]), look_of(crops[2:])]
    alone = [judge.judge(look_of([crop]), LEVELS[0]).faces[0].estimate for crop in crops]
    together = [None] * 3

    def ask(k):
        together[k] = judge.judge(looks[k], LEVELS[0])

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [len(observation.faces) for observation in together] == [2, 0, 3]
    estimates = [face.estimate for observation in together for face in observation.faces]
    for one, other in zip(alone, estimates, strict=True):
        assert np.allclose(one.probabilities, other.probabilities, atol=1e-4)
    assert np.ptp([one.probabilities for one in alone], axis=0).max() > 0.01, "the crops must differ"


def test_a_net_that_is_not_there_is_told_to_the_one_who_asked(judge):
    with pytest.raises(EngineError, match="no card"):
        judge.judge(look_of([]), replace(LEVELS[0], net="/nowhere/net.onnx"))
    assert judge.judge(look_of([]), LEVELS[0]).faces == ()


def test_after_the_end_nobody_waits():
    judge = BatchedClassifier()
    judge.start(LEVELS[-1:])
    judge.close()
    with pytest.raises(Closed):
        judge.judge(look_of([]), LEVELS[-1])


def look_of(crops):
    from emocolor.faces import Box, Detection

    detection = Detection(
        box=Box(10, 10, 80, 80),
        keypoints=np.array([(35, 40), (65, 40), (50, 55), (50, 70), (15, 45), (85, 45)], np.float64),
        score=0.9,
    )
    return AnalysisInput(
        time=0.0, cut=False, faces=tuple(TrackedFace(k, detection, crop) for k, crop in enumerate(crops))
    )


@pytest.mark.parametrize("size_wh", [(1280, 720), (640, 360)])
def test_a_smaller_picture_means_the_same_colours(size_wh):
    """Codes without tags are taken for BT.709 from 720 lines up and for BT.601 below, whatever is then made of them."""
    frame = wrap(av.VideoFrame(*size_wh, "yuv420p"), pts=7, time_base=Fraction(1, 30))
    assert frame.color.matrix == ("bt709" if size_wh[1] == 720 else "bt601")
    small = smaller(frame, 0.5)
    assert small.size_wh == (size_wh[0] // 2, size_wh[1] // 2)
    assert (small.color, small.time) == (frame.color, frame.time)
    assert smaller(frame, 1) is frame
