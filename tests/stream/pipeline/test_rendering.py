"""Rendering stages: scenes at each frame's time, effects, people, and the files."""

import threading

import av
import numpy as np
import pytest

from emocolor.errors import EngineError
from emocolor.faces import Observation, Scene
from emocolor.scenes import SceneBuilder
from emocolor.smoothing import SmoothingOptions
from stream.media.source import VideoSource
from stream.pipeline.rendering import build_scenes, render, segment, with_chroma_planes, write
from stream.pipeline.steps import Step
from tests.stream.pipeline.made_steps import gray_units, steps_of


class Invert:
    """Writes into the planes it is given, as effects may."""

    def apply(self, frame, scene):
        np.subtract(255, frame.luma, out=frame.luma)
        return frame


def test_rendering_leaves_the_decoders_own_frames_alone(demo_clip):
    """Later frames are predicted from earlier ones, so rendering into one must not change later ones."""
    source = VideoSource(str(demo_clip))
    steps = (Step(unit=unit, scene=Scene(time=0)) for unit in source.units() if unit.frame)
    rendered = [step.frame.luma.copy() for step in render(steps, lambda: [Invert()])]
    source.close()
    with av.open(str(demo_clip)) as container:
        plain = [frame.to_ndarray()[: frame.height] for frame in container.decode(video=0)]
    assert len(rendered) == len(plain) == 50
    for ours, theirs in zip(rendered, plain, strict=True):
        assert np.array_equal(ours, 255 - theirs)


@pytest.mark.parametrize("max_held", [2, 7])
def test_no_more_frames_are_held_than_allowed(max_held):
    taken = 0

    def steps():
        nonlocal taken
        for unit in gray_units(np.zeros((60, 16, 16), np.uint8)):
            taken += 1
            yield Step(unit=unit, observation=Observation(time=unit.frame.time, cut=False, faces=()))

    scenes = SceneBuilder(SmoothingOptions(look_ahead=60))
    held = []
    for given, step in enumerate(build_scenes(steps(), scenes, max_held), start=1):
        assert step.scene is not None
        held.append(taken - given)
    assert len(held) == 60
    assert max(held) == max_held


class OnePixel:
    """Finds a person who fills the frame as far as its first pixel is red; counts its calls."""

    def __init__(self):
        self.calls = 0
        self.closed = False

    def segment(self, rgb):
        self.calls += 1
        return np.full(rgb.shape[:2], rgb[0, 0, 0] / 255, np.float32)

    def close(self):
        self.closed = True


def test_every_scene_gets_a_mask_of_people():
    segmenter = OnePixel()
    before = list(steps_of([255, 0, 51, 255], cuts=(1, 2, 3)))
    after = list(segment(iter(before), lambda: segmenter))
    assert [step.unit for step in after] == [step.unit for step in before]
    assert [step.scene.person.mean() for step in after[::2]] == pytest.approx([1, 0, 0.2, 1])
    assert all(step.scene is None for step in after[1::2])
    assert [step.scene.time for step in after[::2]] == [step.scene.time for step in before[::2]]
    assert (segmenter.calls, segmenter.closed) == (4, True)


def test_masks_are_stabilized_within_a_shot_but_not_across_a_cut():
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


class LaterFirst:
    """Inverts; every second frame waits until the one after it has been inverted."""

    def __init__(self, done):
        self.done = done

    def apply(self, frame, scene):
        if frame.pts % 2 == 0:
            assert self.done[frame.pts + 1].wait(30)
        np.subtract(255, frame.luma, out=frame.luma)
        self.done[frame.pts].set()
        return frame


def test_frames_rendered_in_parallel_keep_their_order():
    levels = list(range(0, 240, 10))
    done = [threading.Event() for _ in levels]
    chains = []
    rendered = list(render(steps_of(levels), lambda: chains.append(LaterFirst(done)) or [chains[-1]], workers=3))
    assert [step.frame.luma[0, 0] for step in rendered[::2]] == [255 - level for level in levels]
    assert all(step.frame is None for step in rendered[1::2])
    assert len(chains) == 3


def test_no_more_than_one_frame_is_held_beside_those_that_are_rendered():
    taken = []
    source = (taken.append(n) or step for n, step in enumerate(steps_of(range(30))))
    held = [len(taken) - given for given, _ in enumerate(render(source, lambda: [Invert()], workers=3), 1)]
    assert len(held) == 60
    assert max(held) == 3


@pytest.mark.parametrize("workers", [1, 3])
def test_what_goes_wrong_in_a_frame_ends_the_stage(workers):
    class Fails:
        def apply(self, frame, scene):
            if frame.pts == 2:
                raise EngineError("no room")
            return frame

    stage = render(steps_of([10] * 9), lambda: [Fails()], workers=workers)
    with pytest.raises(EngineError, match="no room"):
        for _ in stage:
            pass


@pytest.mark.parametrize("workers", [1, 3])
def test_effects_that_cannot_be_made_end_the_stage(workers):
    def make():
        raise EngineError("no net")

    with pytest.raises(EngineError, match="no net"):
        next(render(steps_of([10]), make, workers=workers))


def test_rendering_that_is_stopped_leaves_no_thread_behind():
    before = set(threading.enumerate())
    stage = render(steps_of([10] * 9), lambda: [Invert()], workers=3)
    next(stage)
    assert set(threading.enumerate()) - before
    stage.close()
    assert not set(threading.enumerate()) - before


class Recorder:
    """A timeline that remembers what it is told."""

    def __init__(self):
        self.calls = []

    outputs = ()

    def write(self, observation, scene):
        self.calls.append((observation.time, scene.time))

    def complete(self):
        self.calls.append("complete")

    def abort(self):
        self.calls.append("abort")


def observed(count):
    for number, unit in enumerate(gray_units(np.zeros((count, 16, 16), np.uint8))):
        time = unit.frame.time
        seen = Observation(time=time, cut=False, faces=()) if number % 2 == 0 else None
        yield Step(unit=unit, observation=seen, scene=Scene(time=time))


def test_observations_are_written_and_the_file_is_finished():
    timeline = Recorder()
    assert len(list(write(observed(4), None, timeline))) == 4
    assert timeline.calls == [(0, 0), (0.08, 0.08), "complete"]


def test_a_stop_midway_leaves_no_file():
    timeline = Recorder()
    stage = write(observed(4), None, timeline)
    next(stage)
    stage.close()
    assert timeline.calls == [(0, 0), "abort"]


def test_gray_frames_get_neutral_chroma_that_may_be_written():
    (unit,) = gray_units(np.full((1, 18, 32), 90, np.uint8))
    frame = with_chroma_planes(unit.frame)
    assert frame.format.chroma != "none"
    assert all((plane == 128).all() and plane.flags.writeable for plane in frame.planes[1:])
    assert (frame.luma == 90).all()
