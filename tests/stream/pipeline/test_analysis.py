"""Analysis stages: which frames are analysed, and what becomes of their faces."""

import numpy as np

from emocolor.analysis import FaceTracker
from emocolor.classifier import EmotionClassifier
from emocolor.cuts import CutDetector
from emocolor.face_crops import FER2013
from emocolor.tracks import Tracks
from engines.emotion import load_emotion_net
from stream.pipeline.analysis import classify, mark_cuts, observe_cuts, track_faces
from tests.stream.pipeline.made_steps import gray_units


def two_scenes():
    random = np.random.default_rng(0)
    return (np.kron(random.integers(0, 256, (9, 16), np.uint8), np.ones((20, 20), np.uint8)) for _ in range(2))


def marked(frames):
    return mark_cuts(gray_units(frames), CutDetector())


class Watcher:
    """A detector that sees nothing and remembers what it was asked."""

    def __init__(self):
        self.sweeps = []

    def detect(self, gray, known, rotation, *, sweep=False):
        self.sweeps.append(sweep)
        return []

    def close(self):
        self.closed = True


def test_a_cut_is_analysed_immediately_and_searched_everywhere():
    one, other = two_scenes()
    watcher = Watcher()
    calls = [
        (pending.step.frame.pts, pending.payload.cut)
        for pending in track_faces(
            marked([one] * 10 + [other] * 10), lambda: FaceTracker(watcher, Tracks(), FER2013, 48), 2.0
        )
        if pending.payload
    ]
    assert calls == [(0, False), (10, True), (13, False)]
    assert watcher.sweeps == [False, True, False]
    assert watcher.closed


def test_frames_are_analysed_at_the_requested_rate():
    def analysed_at(rate_hz):
        flat = [np.full((180, 320), 128, np.uint8)] * 25
        tracker = FaceTracker(Watcher(), Tracks(), FER2013, 48)
        return [p.step.frame.pts for p in track_faces(gray_units(flat), lambda: tracker, rate_hz) if p.payload]

    assert analysed_at(0) == list(range(25))
    assert analysed_at(5) == [0, 5, 10, 15, 20]
    assert analysed_at(1) == [0]


def test_what_was_not_tracked_is_not_classified():
    flat = [np.full((180, 320), 128, np.uint8)] * 6
    tracker = FaceTracker(Watcher(), Tracks(), FER2013, 48)
    tracked = track_faces(gray_units(flat), lambda: tracker, 12.5)
    steps = list(classify(tracked, lambda: EmotionClassifier(load_emotion_net("tiny"))))
    assert [step.observation is not None for step in steps] == [True, False] * 3
    assert all(step.observation.faces == () for step in steps[::2])


def test_cuts_alone_are_observed_where_no_face_matters():
    one, other = two_scenes()
    steps = list(observe_cuts(marked([one] * 5 + [other] * 5)))
    assert len(steps) == 10
    assert [(step.frame.pts, step.observation.faces) for step in steps if step.is_cut] == [(5, ())]
