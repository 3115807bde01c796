"""Single stages on real frames."""

from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.face_crops import FER2013
from emocolor.faces import Observation, Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from emocolor.tracks import Tracks
from stream.stages import Follower, Step, direct, follow, paint
from stream.video_source import Unit, VideoSource


class Invert:
    """Writes into the planes it is given, as effects may."""

    def apply(self, frame, scene):
        np.subtract(255, frame.luma, out=frame.luma)
        return frame


def test_painting_leaves_the_decoders_own_pictures_alone(demo_clip):
    """Later pictures are predicted from earlier ones, so painting one must not change what follows."""
    source = VideoSource(str(demo_clip))
    steps = (Step(unit=unit, scene=Scene(time=0)) for unit in source.units() if unit.frame)
    painted = [step.frame.luma.copy() for step in paint(steps, [Invert()])]
    source.close()
    with av.open(str(demo_clip)) as container:
        plain = [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]
    assert len(painted) == len(plain) == 50
    for ours, theirs in zip(painted, plain, strict=True):
        assert np.array_equal(ours, 255 - theirs)


def units(pictures):
    """Gray frames at 25 fps from pictures (H, W)."""
    for n, luma in enumerate(pictures):
        yield Unit(
            frame=Frame(
                planes=(luma,), format=PIXEL_FORMATS["gray"], color=ColorSpec(full_range=True), pts=n,
                time_base=Fraction(1, 25),
            )
        )  # fmt: skip


@pytest.mark.parametrize("most_held", [2, 7])
def test_no_more_frames_are_held_than_allowed(most_held):
    taken = 0

    def steps():
        nonlocal taken
        for unit in units(np.zeros((60, 16, 16), np.uint8)):
            taken += 1
            yield Step(unit=unit, observation=Observation(time=unit.frame.time, cut=False, faces=()))

    scenes = SceneBuilder(SmoothingOptions(look_ahead=100))
    held = []
    for given, step in enumerate(direct(steps(), scenes, most_held), start=1):
        assert step.scene is not None
        held.append(taken - given)
    assert len(held) == 60
    assert max(held) == most_held


class Watcher:
    """A detector that sees nothing and remembers what it was asked."""

    def __init__(self):
        self.sweeps = []

    def detect(self, gray, known, rotation, *, sweep=False):
        self.sweeps.append(sweep)
        return []

    def close(self):
        self.closed = True


def test_a_cut_is_looked_at_at_once_and_everywhere():
    random = np.random.default_rng(0)
    one, other = (np.kron(random.integers(0, 256, (9, 16), np.uint8), np.ones((20, 20), np.uint8)) for _ in range(2))
    watcher = Watcher()
    looks = [
        (step.frame.pts, step.look.cut)
        for step in follow(units([one] * 10 + [other] * 10), lambda: Follower(watcher, Tracks(), FER2013, 48), 2.0)
        if step.look
    ]
    assert looks == [(0, False), (10, True), (13, False)]
    assert watcher.sweeps == [False, True, False]
    assert watcher.closed
