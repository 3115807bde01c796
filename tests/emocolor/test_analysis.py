"""From a frame to its observed faces, with a detector that finds bright discs and a classifier of real passes."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from emocolor.analysis import FaceTracker, TrackedFace, classify_faces, observation_from
from emocolor.classifier import EmotionClassifier
from emocolor.emotions import EMOTIONS
from emocolor.face_crops import FER2013, observation_confidence
from emocolor.faces import Box, Detection, EmotionEstimate
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame, luma_8bit
from emocolor.tracks import Tracks

KEYPOINTS = np.array([[-0.2, -0.2], [0.2, -0.2], [0.0, 0.05], [0.0, 0.25], [-0.45, -0.1], [0.45, -0.1]])
CROP_SIZE = 48
FULL = ColorSpec(full_range=True)
LEFT, RIGHT = (90, 100), (230, 140)


def frame_of(*centers, pts=0, color=FULL, rotation=0):
    """A frame with a bright disc at each centre; those further to the right are brighter."""
    luma = np.full((240, 320), 40, np.uint8)
    for number, center in enumerate(sorted(centers)):
        cv2.circle(luma, center, 30, 160 + 60 * number, -1)
        cv2.circle(luma, center, 8 + 6 * number, 20, -1)
    return Frame(
        planes=(luma,), format=PIXEL_FORMATS["gray"], color=color, pts=pts, time_base=Fraction(1, 8), rotation=rotation
    )


class DiscDetector:
    """Takes bright discs for faces, and keeps what it was asked."""

    def __init__(self):
        self.known, self.rotations, self.sweeps = [], [], []

    def detect(self, gray, known, rotation, *, sweep=False):
        self.known.append(known)
        self.rotations.append(rotation)
        self.sweeps.append(sweep)
        _, _, found, centers = cv2.connectedComponentsWithStats((gray > 120).astype(np.uint8))
        return [
            Detection(
                box=Box(float(x), float(y), float(width), float(height)),
                keypoints=center + width * KEYPOINTS,
                score=0.9,
            )
            for (x, y, width, height, _), center in zip(found[1:], centers[1:], strict=True)
        ]

    def close(self):
        pass


class Lightness:
    """A net with one dropout, whose probabilities follow the mean of the crop."""

    crop_size = CROP_SIZE
    output = "probabilities"

    @property
    def dropouts(self):
        return {"mask": ((2,), 0.5)}

    def run(self, inputs):
        level = inputs["faces"].mean(axis=(1, 2, 3))
        happy = level[None, :] * (0.5 + 0.25 * inputs["mask"].mean(axis=1)[:, None])
        rest = (1 - happy) / 6
        return {"probabilities": np.stack([happy if k == 3 else rest for k in range(7)], axis=-1).astype(np.float32)}


@pytest.fixture
def detector():
    return DiscDetector()


@pytest.fixture
def tracker(detector):
    return FaceTracker(detector, Tracks(), FER2013, CROP_SIZE)


def test_every_face_gets_an_id_and_a_crop(tracker):
    analysis = tracker.track(frame_of(LEFT, RIGHT), cut=False)
    assert (analysis.time, analysis.cut) == (0.0, False)
    assert sorted(face.track_id for face in analysis.faces) == [1, 2]
    for face in analysis.faces:
        assert face.crop.shape == (CROP_SIZE, CROP_SIZE)
        assert face.crop.dtype == np.uint8
        assert face.crop[CROP_SIZE // 2 + 16, CROP_SIZE // 2] > 120  # the disc, around its dark middle


def test_faces_keep_their_ids_while_they_move(tracker):
    first = tracker.track(frame_of(LEFT, RIGHT), cut=False)
    centers = {face.track_id: face.detection.box.center[0] for face in first.faces}
    for pts in range(1, 6):
        moved = tracker.track(frame_of((90 + 6 * pts, 100), (230 - 4 * pts, 140), pts=pts), cut=False)
        assert {face.track_id for face in moved.faces} == set(centers)
    assert moved.time == pytest.approx(5 / 8)
    for face in moved.faces:
        assert abs(face.detection.box.center[0] - centers[face.track_id]) < 40


def test_the_detector_is_told_where_faces_should_be_and_how_the_frame_is_turned(tracker, detector):
    tracker.track(frame_of(LEFT, rotation=90), cut=False)
    tracker.track(frame_of(LEFT, pts=1, rotation=90), cut=False)
    assert detector.known[0] == []
    assert detector.known[1][0].box.center == pytest.approx((90.5, 100.5), abs=1)
    assert detector.rotations == [90, 90]
    assert detector.sweeps == [False, False]


def test_a_cut_ends_all_tracks_and_asks_for_a_sweep(tracker, detector):
    tracker.track(frame_of(LEFT), cut=False)
    analysis = tracker.track(frame_of(LEFT, pts=1), cut=True)
    assert analysis.cut
    assert [face.track_id for face in analysis.faces] == [2]
    assert detector.known[1] == []
    assert detector.sweeps == [False, True]


def test_faces_are_seen_in_full_range(tracker, detector):
    """Limited-range luma is stretched before the detector and the crops see it."""
    frame = frame_of(LEFT, color=ColorSpec())
    (face,) = tracker.track(frame, cut=False).faces
    assert face.crop.max() == luma_8bit(frame).max() > frame.luma.max()


def test_every_face_is_classified_and_trusted_as_its_crop_deserves(tracker):
    classifier = EmotionClassifier(Lightness(), passes=5)
    analysis = tracker.track(frame_of(LEFT, RIGHT, pts=2), cut=True)
    observation = classify_faces(analysis, classifier)
    assert (observation.time, observation.cut) == (0.25, True)
    estimates = classifier.estimate([face.crop for face in analysis.faces])
    for observed, face, estimate in zip(observation.faces, analysis.faces, estimates, strict=True):
        assert (observed.track_id, observed.detection) == (face.track_id, face.detection)
        assert np.array_equal(observed.estimate.probabilities, estimate.probabilities)
        assert observed.estimate.probabilities.shape == (len(EMOTIONS),)
        assert observed.confidence == observation_confidence(face.detection, face.crop, estimate.mutual_information)
    by_light = sorted(observation.faces, key=lambda one: one.estimate.probabilities[3])
    assert [one.detection.box.center[0] > 150 for one in by_light] == [False, True]  # the right disc is brighter


def test_a_frame_without_faces_is_an_observation_too(tracker):
    observation = classify_faces(tracker.track(frame_of(pts=3), cut=False), EmotionClassifier(Lightness()))
    assert (observation.faces, observation.time) == ((), 0.375)


def test_estimates_must_be_one_for_each_face(tracker):
    analysis = tracker.track(frame_of(LEFT, RIGHT), cut=False)
    one = EmotionEstimate(probabilities=np.full(7, 1 / 7), entropy=1.9, mutual_information=0.0)
    with pytest.raises(ValueError, match="shorter"):
        observation_from(analysis, [one])
    assert isinstance(analysis.faces[0], TrackedFace)
