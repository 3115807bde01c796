"""Colorization stages: the same colours as without stages, and what is left alone."""

import numpy as np
import pytest

from emocolor.chroma.stabilizer import ChromaEstimate, StabilizerOptions
from emocolor.effects import Colorize, ColorizeOptions
from emocolor.faces import Observation
from stream.media.source import MediaUnit
from stream.pipeline.colorizing import apply_chroma, predict_chroma, stabilize_chroma
from stream.pipeline.rendering import with_chroma_planes
from stream.pipeline.steps import Step
from tests.stream.pipeline.made_steps import gray_units, steps_of


class ByLevel:
    """A colorizer that gives light and dark a colour each; it counts the frames it sees."""

    def __init__(self):
        self.calls = 0

    def estimate(self, gray, vividness):
        self.calls += 1
        light = gray[2::4, 2::4, None] > 100
        ab = np.where(light, np.float32([60, 10]), np.float32([-20, -50])).astype(np.float32)
        return ChromaEstimate(ab=ab, confidence=np.full(ab.shape[:2], 0.5, np.float32))


@pytest.mark.parametrize(("look_ahead", "workers"), [(0.0, 1), (0.2, 1), (0.2, 3)])
def test_colours_given_in_stages_are_those_given_in_one(look_ahead, workers):
    def frames():
        for n, unit in enumerate(gray_units([np.roll(scene, 2 * n, axis=1) for n in range(30)])):
            observation = Observation(time=unit.frame.time, cut=n in (0, 13), faces=())
            yield Step(unit=unit, observation=observation if n % 3 == 0 or observation.cut else None)
            yield Step(unit=MediaUnit(frame=None))

    scene = np.kron(np.random.default_rng(0).integers(0, 255, (12, 20), np.uint8), np.ones((8, 8), np.uint8))
    options = ColorizeOptions(rate_hz=6, warmth=0.3, stabilization=StabilizerOptions(look_ahead=look_ahead))
    colorizer_alone, colorizer = ByLevel(), ByLevel()
    alone = Colorize(options, colorizer_alone)
    expected = []
    for step in frames():
        if step.frame is not None:
            expected += alone.add(with_chroma_planes(step.frame), cut=step.is_cut)
    expected += alone.end()
    done = list(
        apply_chroma(stabilize_chroma(predict_chroma(frames(), lambda: colorizer, options, workers=workers), options))
    )
    assert [step.frame is None for step in done] == [False, True] * 30
    assert colorizer.calls == colorizer_alone.calls == 7  # at frames 0, 5, 10, 13, 18, 23 and 28
    for ours, theirs in zip(done[::2], expected, strict=True):
        assert ours.frame.pts == theirs.pts
        assert all(np.array_equal(a, b) for a, b in zip(ours.frame.planes, theirs.planes, strict=True))


def test_frames_that_keep_their_colours_never_reach_the_colorizer():
    asked = []
    left = predict_chroma(
        steps_of([10] * 30), ByLevel, ColorizeOptions(), leave=lambda frames: asked.append(frames) or True
    )
    done = list(apply_chroma(stabilize_chroma(left, ColorizeOptions())))
    assert [len(frames) for frames in asked] == [13]
    assert [step.frame.format.name for step in done[::2]] == ["gray"] * 30
