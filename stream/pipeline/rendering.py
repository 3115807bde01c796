"""Rendering stages: the scene at each frame's time, people, effects, and the output files.

build_scenes -> segment -> render -> write
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from emocolor.faces import Observation, Scene
from emocolor.frames import Frame
from emocolor.person_regions import PersonMasks
from emocolor.protocols import Effect, PersonSegmenter
from emocolor.scenes import SceneBuilder

from ..files.output_file import Placeable, place_all
from ..media.frames import with_neutral_chroma, writable
from ..media.source import MediaUnit
from .parallel import ordered_parallel_map
from .steps import Step


class SideOutput(Protocol):
    """An output of a job beside the video; ``complete``, then its outputs are placed, or ``abort``."""

    @property
    def outputs(self) -> Sequence[Placeable]: ...

    def complete(self) -> None: ...

    def abort(self) -> None: ...


class UnitWriter(SideOutput, Protocol):
    """The output with the frames."""

    def write(self, unit: MediaUnit) -> None: ...


class ObservationWriter(SideOutput, Protocol):
    """A file of what was observed."""

    def write(self, observation: Observation, scene: Scene) -> None: ...


def build_scenes(steps: Iterable[Step], scenes: SceneBuilder, max_held: int) -> Iterator[Step]:
    """Give each frame its scene; frames are held while the scene needs later observations.

    No more than ``max_held`` frames are held: beyond that the oldest gets the scene as known so far.
    """
    waiting: deque[Step] = deque()
    for step in steps:
        if step.observation is not None:
            scenes.add(step.observation)
        waiting.append(step)
        while waiting and _may_go(waiting, scenes, max_held):
            yield _with_scene(waiting.popleft(), scenes)
    scenes.end()
    while waiting:
        yield _with_scene(waiting.popleft(), scenes)


def segment(steps: Iterable[Step], make_segmenter: Callable[[], PersonSegmenter]) -> Iterator[Step]:
    """Add a mask of people to each frame's scene.

    Every frame is segmented: people move between analyses, and outlines cannot be interpolated as boxes can.
    """
    segmenter = make_segmenter()
    masks = PersonMasks(segmenter)
    try:
        for step in steps:
            if step.frame is None or step.scene is None:
                yield step
                continue
            person = masks.next(step.frame, cut=step.scene.cut)
            yield replace(step, scene=replace(step.scene, person=person))
    finally:
        segmenter.close()


def render(
    steps: Iterable[Step], make_effects: Callable[[], Sequence[Effect]], *, needs_chroma: bool = True, workers: int = 1
) -> Iterator[Step]:
    """Apply the effects to every frame, in order; a result depends on that frame and its scene alone.

    ``needs_chroma``: gray frames get neutral chroma planes first. Each of ``workers`` has effects and a thread of its
    own.
    """
    return ordered_parallel_map(
        steps, lambda: partial(_rendered, effects=make_effects(), needs_chroma=needs_chroma), workers
    )


def with_chroma_planes(frame: Frame) -> Frame:
    """The frame with planes that may be written to, and with neutral chroma planes where it has none."""
    frame = writable(frame)
    return with_neutral_chroma(frame) if frame.format.chroma == "none" else frame


def write(
    steps: Iterable[Step],
    sink: UnitWriter | None,
    timeline: ObservationWriter | None,
    others: Sequence[SideOutput] = (),
) -> Iterator[Step]:
    """Encode every frame and record every observation.

    All outputs get their names together when this ends well, else all are removed. ``others`` are completed after the
    video.
    """
    outputs: list[SideOutput] = [output for output in (sink, timeline, *others) if output is not None]
    placed = False
    try:
        for step in steps:
            if sink is not None:
                sink.write(step.unit)
            if timeline is not None and step.observation is not None and step.scene is not None:
                timeline.write(step.observation, step.scene)
            yield step
        for output in outputs:
            output.complete()
        place_all([waiting for output in outputs for waiting in output.outputs])
        placed = True
    finally:
        if not placed:
            for output in outputs:
                output.abort()


def _rendered(step: Step, *, effects: Sequence[Effect], needs_chroma: bool) -> Step:
    frame, scene = step.frame, step.scene
    if frame is None or scene is None or not effects:
        return step
    frame = with_chroma_planes(frame) if needs_chroma else writable(frame)
    for effect in effects:
        frame = effect.apply(frame, scene)
    return replace(step, unit=replace(step.unit, frame=frame))


def _may_go(waiting: deque[Step], scenes: SceneBuilder, max_held: int) -> bool:
    frame = waiting[0].frame
    return frame is None or len(waiting) > max_held or scenes.is_ready(frame.time)


def _with_scene(step: Step, scenes: SceneBuilder) -> Step:
    return step if step.frame is None else replace(step, scene=scenes.scene_at(step.frame.time))
