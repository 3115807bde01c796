"""Faces of several sessions in one batch: as if each had been alone, and nobody waits for nothing."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from emocolor.analysis import AnalysisInput, TrackedFace
from emocolor.errors import EngineError
from emocolor.faces import Box, Detection
from engines.runners.devices import has_nvidia_driver
from stream.live.batched_classifier import MAX_BATCH, BatchedClassifier
from stream.live.handoff import Closed
from stream.live.quality import LEVELS
from stream.settings import AnalysisOptions

PATIENCE_S = 60


def frame_with(crops):
    detection = Detection(
        box=Box(10, 10, 80, 80),
        keypoints=np.array([(35, 40), (65, 40), (50, 55), (50, 70), (15, 45), (85, 45)], np.float64),
        score=0.9,
    )
    return AnalysisInput(
        time=0.0, cut=False, faces=tuple(TrackedFace(k, detection, crop) for k, crop in enumerate(crops))
    )


def random_crops(count):
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (48, 48), np.uint8) for _ in range(count)]


def classified_in_parallel(classifier, frames, quality):
    """The observations of frames that come from a thread each."""
    observations = [None] * len(frames)

    def ask(k):
        observations[k] = classifier.classify(frames[k], quality)

    threads = [threading.Thread(target=ask, args=(k,)) for k in range(len(frames))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    return observations


def test_faces_are_classified_alike_together_and_alone(running_classifier):
    crops = random_crops(5)
    alone = [running_classifier.classify(frame_with([crop]), LEVELS[0]).faces[0].estimate for crop in crops]
    frames = [frame_with(crops[:2]), frame_with([]), frame_with(crops[2:])]
    together = classified_in_parallel(running_classifier, frames, LEVELS[0])
    assert [len(observation.faces) for observation in together] == [2, 0, 3]
    estimates = [face.estimate for observation in together for face in observation.faces]
    for one, other in zip(alone, estimates, strict=True):
        assert np.allclose(one.probabilities, other.probabilities, atol=1e-4)
    assert np.ptp([one.probabilities for one in alone], axis=0).max() > 0.01, "the crops must differ"


def test_more_callers_than_a_batch_holds_all_get_their_own(running_classifier):
    frames = [frame_with(random_crops(k % 3)) for k in range(2 * MAX_BATCH + 3)]
    observations = classified_in_parallel(running_classifier, frames, LEVELS[-1])
    assert [len(observation.faces) for observation in observations] == [k % 3 for k in range(len(frames))]


def test_a_net_that_is_not_there_is_reported_to_the_caller(running_classifier):
    with pytest.raises(EngineError, match="no card"):
        running_classifier.classify(frame_with([]), replace(LEVELS[0], net="/nowhere/net.onnx"))
    assert running_classifier.classify(frame_with([]), LEVELS[0]).faces == ()


def test_after_the_end_nobody_waits():
    classifier = BatchedClassifier()
    classifier.start(LEVELS[-1:])
    classifier.close()
    with pytest.raises(Closed):
        classifier.classify(frame_with([]), LEVELS[-1])


def estimates_with(**options):
    """The probabilities of one face, classified twice by a classifier with these options."""
    classifier = BatchedClassifier(AnalysisOptions(**options))
    classifier.start(LEVELS[:1])
    try:
        frame = frame_with(random_crops(1))
        return [classifier.classify(frame, LEVELS[0]).faces[0].estimate.probabilities for _ in range(2)]
    finally:
        classifier.close()


def test_the_masks_are_those_that_the_options_ask_for():
    first, again = estimates_with(seed=1)
    assert np.array_equal(first, again)
    assert np.array_equal(first, estimates_with(seed=1)[0])
    assert not np.array_equal(first, estimates_with(seed=2)[0])
    assert not np.array_equal(*estimates_with(seed=1, fresh_masks=True))


@pytest.mark.skipif(has_nvidia_driver(), reason="on a GPU f16 can be used")
def test_the_precision_is_the_one_that_the_options_ask_for():
    with pytest.raises(EngineError, match="f16 is for GPUs"):
        estimates_with(precision="f16")
