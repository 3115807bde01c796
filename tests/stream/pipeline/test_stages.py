"""Single stages on real frames."""

import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from emocolor.analysis import FaceTracker
from emocolor.chroma.stabilizer import ChromaEstimate, StabilizerOptions
from emocolor.effects import Colorize, ColorizeOptions
from emocolor.errors import EngineError
from emocolor.face_crops import FER2013
from emocolor.faces import Observation, Scene
from emocolor.frames import PIXEL_FORMATS, ColorSpec, Frame
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from emocolor.tracks import Tracks
from stream.media.source import Unit, VideoSource
from stream.pipeline.analysis import track_faces
from stream.pipeline.colorizing import apply_chroma, predict_chroma, stabilize_chroma
from stream.pipeline.rendering import build_scenes, render, segment, with_chroma_planes
from stream.pipeline.steps import Step


class Invert:
    """Writes into the planes it is given, as effects may."""

    def apply(self, frame, scene):
        np.subtract(255, frame.luma, out=frame.luma)
        return frame


def test_painting_leaves_the_decoders_own_frames_alone(demo_clip):
    """Later frames are predicted from earlier ones, so painting one must not change what follows."""
    source = VideoSource(str(demo_clip))
    steps = (Step(unit=unit, scene=Scene(time=0)) for unit in source.units() if unit.frame)
    rendered = [step.frame.luma.copy() for step in render(steps, lambda: [Invert()])]
    source.close()
    with av.open(str(demo_clip)) as container:
        plain = [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]
    assert len(rendered) == len(plain) == 50
    for ours, theirs in zip(rendered, plain, strict=True):
        assert np.array_equal(ours, 255 - theirs)


def units(frames):
    """Gray frames at 25 fps from frames (H, W)."""
    for n, luma in enumerate(frames):
        yield Unit(
            frame=Frame(
                planes=(luma,), format=PIXEL_FORMATS["gray"], color=ColorSpec(full_range=True), pts=n,
                time_base=Fraction(1, 25),
            )
        )  # fmt: skip


@pytest.mark.parametrize("max_held", [2, 7])
def test_no_more_frames_are_held_than_allowed(max_held):
    taken = 0

    def steps():
        nonlocal taken
        for unit in units(np.zeros((60, 16, 16), np.uint8)):
            taken += 1
            yield Step(unit=unit, observation=Observation(time=unit.frame.time, cut=False, faces=()))

    scenes = SceneBuilder(SmoothingOptions(look_ahead=100))
    held = []
    for given, step in enumerate(build_scenes(steps(), scenes, max_held), start=1):
        assert step.scene is not None
        held.append(taken - given)
    assert len(held) == 60
    assert max(held) == max_held


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
    calls = [
        (pending.step.frame.pts, pending.payload.cut)
        for pending in track_faces(
            units([one] * 10 + [other] * 10), lambda: FaceTracker(watcher, Tracks(), FER2013, 48), 2.0
        )
        if pending.payload
    ]
    assert calls == [(0, False), (10, True), (13, False)]
    assert watcher.sweeps == [False, True, False]
    assert watcher.closed


class OnePixel:
    """Finds a person who fills the frame as far as its first pixel is red; counts its looks."""

    def __init__(self):
        self.calls = 0
        self.closed = False

    def segment(self, rgb):
        self.calls += 1
        return np.full(rgb.shape[:2], rgb[0, 0, 0] / 255, np.float32)

    def close(self):
        self.closed = True


def steps_of(lumas, cuts=()):
    """Steps at 25 fps with frames of one level each, a unit without a frame behind every one."""
    for n, unit in enumerate(units([np.full((36, 64), level, np.uint8) for level in lumas])):
        yield Step(unit=unit, scene=Scene(time=unit.frame.time, cut=n in cuts))
        yield Step(unit=Unit(frame=None))


def test_every_scene_is_told_where_people_are():
    segmenter = OnePixel()
    before = list(steps_of([255, 0, 51, 255], cuts=(1, 2, 3)))
    after = list(segment(iter(before), lambda: segmenter))
    assert [step.unit for step in after] == [step.unit for step in before]
    assert [step.scene.person.mean() for step in after[::2]] == pytest.approx([1, 0, 0.2, 1])
    assert all(step.scene is None for step in after[1::2])
    assert [step.scene.time for step in after[::2]] == [step.scene.time for step in before[::2]]
    assert (segmenter.calls, segmenter.closed) == (4, True)


def test_masks_are_held_still_within_a_shot_but_not_across_a_cut():
    levels = [100, 104, 100, 104, 100, 104]
    within = [step.scene.person.mean() for step in segment(steps_of(levels), OnePixel) if step.scene]
    across = [step.scene.person.mean() for step in segment(steps_of(levels, cuts=(5,)), OnePixel) if step.scene]
    assert 100 / 255 < within[-1] < 103.5 / 255
    assert across[:-1] == within[:-1]
    assert across[-1] == pytest.approx(104 / 255)


def test_a_segmenter_is_closed_where_the_work_is_called_off():
    segmenter = OnePixel()
    stage = segment(steps_of([10, 20, 30]), lambda: segmenter)
    next(stage)
    stage.close()
    assert segmenter.closed


def test_frames_are_segmented_one_at_a_time():
    """What is given is given before the next is taken, so no frame is held back."""
    taken = []
    source = (taken.append(n) or step for n, step in enumerate(steps_of([10, 20, 30])))
    for given, _ in enumerate(segment(source, OnePixel)):
        assert len(taken) == given + 1


class Slowest:
    """Inverts, the first frames longest, and counts how many it is given while it works."""

    working, most = 0, 0
    lock = threading.Lock()

    def apply(self, frame, scene):
        with Slowest.lock:
            Slowest.working += 1
            Slowest.most = max(Slowest.most, Slowest.working)
        time.sleep(max(0, 0.05 - 0.01 * frame.pts))
        np.subtract(255, frame.luma, out=frame.luma)
        with Slowest.lock:
            Slowest.working -= 1
        return frame


def test_frames_painted_side_by_side_leave_in_their_order():
    levels = list(range(0, 250, 10))
    Slowest.most = 0
    chains = []
    rendered = list(render(steps_of(levels), lambda: chains.append(Slowest()) or [chains[-1]], workers=3))
    assert [step.frame.luma[0, 0] for step in rendered[::2]] == [255 - level for level in levels]
    assert all(step.frame is None for step in rendered[1::2])
    assert len(chains) == 3
    assert 2 <= Slowest.most <= 3


def test_no_more_frames_are_held_than_are_painted_and_one():
    taken = []
    source = (taken.append(n) or step for n, step in enumerate(steps_of(range(30))))
    held = [len(taken) - given for given, _ in enumerate(render(source, lambda: [Invert()], workers=3), 1)]
    assert len(held) == 60
    assert max(held) == 3


@pytest.mark.parametrize("at_once", [1, 3])
def test_what_goes_wrong_in_a_frame_ends_the_stage(at_once):
    class Fails:
        def apply(self, frame, scene):
            if frame.pts == 2:
                raise EngineError("no room")
            return frame

    stage = render(steps_of([10] * 9), lambda: [Fails()], at_once)
    with pytest.raises(EngineError, match="no room"):
        for _ in stage:
            pass


@pytest.mark.parametrize("at_once", [1, 3])
def test_effects_that_cannot_be_made_end_the_stage(at_once):
    def make():
        raise EngineError("no net")

    with pytest.raises(EngineError, match="no net"):
        next(render(steps_of([10]), make, at_once))


def test_painting_that_is_called_off_leaves_no_thread_behind():
    before = set(threading.enumerate())
    stage = render(steps_of([10] * 9), lambda: [Slowest()], workers=3)
    next(stage)
    assert set(threading.enumerate()) - before
    stage.close()
    assert not set(threading.enumerate()) - before


class ByLevel:
    """A colorist that gives light and dark a colour each; it counts the frames it sees."""

    def __init__(self):
        self.calls = 0

    def estimate(self, gray, vividness):
        self.calls += 1
        light = gray[2::4, 2::4, None] > 100
        ab = np.where(light, np.float32([60, 10]), np.float32([-20, -50])).astype(np.float32)
        return ChromaEstimate(ab=ab, confidence=np.full(ab.shape[:2], 0.5, np.float32))


@pytest.mark.parametrize(("look_ahead", "at_once"), [(0.0, 1), (0.2, 1), (0.2, 3)])
def test_colours_given_in_stages_are_those_given_in_one(look_ahead, at_once):
    def frames():
        for n, unit in enumerate(units([np.roll(scene, 2 * n, axis=1) for n in range(30)])):
            observation = Observation(time=unit.frame.time, cut=n in (0, 13), faces=())
            yield Step(unit=unit, observation=observation if n % 3 == 0 or observation.cut else None)
            yield Step(unit=Unit(frame=None))

    scene = np.kron(np.random.default_rng(0).integers(0, 255, (12, 20), np.uint8), np.ones((8, 8), np.uint8))
    options = ColorizeOptions(rate_hz=6, warmth=0.3, history=StabilizerOptions(look_ahead=look_ahead))
    alone, colorizer = Colorize(options, ByLevel()), ByLevel()
    expected = []
    for step in frames():
        if step.frame is not None:
            expected += alone.add(with_chroma_planes(step.frame), cut=step.is_cut)
    expected += alone.end()
    done = list(
        apply_chroma(stabilize_chroma(predict_chroma(frames(), lambda: colorizer, options, workers=at_once), options))
    )
    assert [step.frame is None for step in done] == [False, True] * 30
    assert colorizer.calls == alone._colorist.calls == 7  # at frames 0, 5, 10, 13, 18, 23 and 28
    for ours, theirs in zip(done[::2], expected, strict=True):
        assert ours.frame.pts == theirs.pts
        assert all(np.array_equal(a, b) for a, b in zip(ours.frame.planes, theirs.planes, strict=True))


def test_what_is_left_alone_is_never_sketched():
    asked = []
    left = predict_chroma(
        steps_of([10] * 30), ByLevel, ColorizeOptions(), leave=lambda frames: asked.append(frames) or True
    )
    done = list(apply_chroma(stabilize_chroma(left, ColorizeOptions())))
    assert [len(frames) for frames in asked] == [13]
    assert [step.frame.format.name for step in done[::2]] == ["gray"] * 30
