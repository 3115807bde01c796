"""What happens to a frame between source and sink, stage by stage.

    decode -> follow -> classify -> sketch -> hold still -> colorize -> direct -> segment -> paint -> write

Each function takes steps in presentation order and yields them in the same order. None reads a
clock: everything is decided by media time, so that a result cannot depend on a machine's speed.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Final

from emocolor.cuts import CutDetector
from emocolor.effects.colorize import Cadence, ColorizeOptions, Colors, HeldColors, Sketch, paint_chroma, sketch_of
from emocolor.emotion import EmotionClassifier
from emocolor.face_crops import CropGeometry, crop_face, observation_confidence
from emocolor.faces import Detection, EmotionEstimate, Observation, ObservedFace, Scene
from emocolor.frames import Frame, luma_8bit
from emocolor.person_regions import PersonMasks
from emocolor.protocols import Colorist, Detector, Effect, Gray, PersonSegmenter
from emocolor.scenes import SceneBuilder
from emocolor.tracks import Tracks

from .side_by_side import side_by_side
from .timeline import TimelineWriter
from .video_frames import with_neutral_chroma, writable
from .video_sink import VideoSink
from .video_source import Unit

FIRST_FRAMES: Final = 25
"""Units that are held to tell whether a source that cannot be looked through beforehand is in colour."""


@dataclass(frozen=True)
class Sighted:
    """A tracked face in one picture, cropped for the classifier."""

    track_id: int
    detection: Detection
    crop: Gray
    """(S, S) uint8, full range."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at a picture."""

    time: float
    cut: bool
    faces: tuple[Sighted, ...]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A unit of the source on its way, with what has been found out about it."""

    unit: Unit
    look: Look | None = None
    """Which faces are where, if this frame was looked at."""
    observation: Observation | None = None
    """The same with their emotions."""
    sketch: Sketch | None = None
    """What a colorizer sees and says of this frame, until it has its colours."""
    colors: Colors | None = None
    """The frame's new colours, until they are written."""
    scene: Scene | None = None
    """The scene at this frame's time, once known; ``None`` where the unit has no frame."""

    @property
    def frame(self) -> Frame | None:
        return self.unit.frame

    @property
    def is_cut(self) -> bool:
        """Whether a new shot is seen to start with this frame."""
        return self.observation is not None and self.observation.cut


@dataclass(frozen=True)
class Follower:
    """Looks at frames, finds the faces and keeps their identities. Not for two threads at once."""

    detector: Detector
    tracks: Tracks
    geometry: CropGeometry
    crop_size: int

    def look(self, frame: Frame, *, cut: bool) -> Look:
        """Where which face is in ``frame``; frames must come in order of time."""
        gray = luma_8bit(frame)
        expected = [] if cut else self.tracks.expected(frame.time)
        found = self.detector.detect(gray, expected, frame.rotation, sweep=cut)
        tracked = self.tracks.update(frame.time, found, gray, cut=cut)
        faces = (
            Sighted(number, face, crop_face(gray, face, self.geometry, self.crop_size)) for number, face in tracked
        )
        return Look(time=frame.time, cut=cut, faces=tuple(faces))


def judge(look: Look, classifier: EmotionClassifier) -> Observation:
    """Estimate the emotion of every face of a look, and how far to trust each estimate."""
    return observation_of(look, classifier.estimate([face.crop for face in look.faces]))


def observation_of(look: Look, estimates: Sequence[EmotionEstimate]) -> Observation:
    """What was seen, from a look and what the classifier says of each of its faces."""
    faces = tuple(
        ObservedFace(
            track_id=face.track_id,
            detection=face.detection,
            estimate=estimate,
            confidence=observation_confidence(face.detection, face.crop, estimate.mutual_information),
        )
        for face, estimate in zip(look.faces, estimates, strict=True)
    )
    return Observation(time=look.time, cut=look.cut, faces=faces)


def follow(units: Iterable[Unit], make_follower: Callable[[], Follower], rate_hz: float) -> Iterator[Step]:
    """Look at the frames that are due: ``rate_hz`` times a second of media time (0: every frame)
    and where a new shot starts.

    ``make_follower`` is called here, as ``make_classifier`` below, so that nets load side by side
    and while decoding goes on.
    """
    follower = make_follower()
    cuts = CutDetector()
    due = -math.inf
    try:
        for unit in units:
            look = None
            if unit.frame is not None:
                cut = cuts.is_cut(unit.frame)
                if cut or unit.frame.time >= due:
                    look = follower.look(unit.frame, cut=cut)
                    due = _next_due(unit.frame.time, rate_hz)
            yield Step(unit=unit, look=look)
    finally:
        follower.detector.close()


def watch_cuts(units: Iterable[Unit]) -> Iterator[Step]:
    """In place of ``follow`` and ``classify`` where no face matters: only where a new shot starts."""
    cuts = CutDetector()
    for unit in units:
        is_cut = unit.frame is not None and cuts.is_cut(unit.frame)
        seen = Observation(time=unit.frame.time, cut=True, faces=()) if unit.frame is not None and is_cut else None
        yield Step(unit=unit, observation=seen)


def classify(steps: Iterable[Step], make_classifier: Callable[[], EmotionClassifier]) -> Iterator[Step]:
    """Judge the faces of every look."""
    classifier = make_classifier()
    for step in steps:
        yield step if step.look is None else replace(step, observation=judge(step.look, classifier))


def sketch(
    steps: Iterable[Step],
    make_colorist: Callable[[], Colorist],
    options: ColorizeOptions,
    leave: Callable[[Sequence[Frame]], bool] | None = None,
    pictures_at_once: int = 1,
) -> Iterator[Step]:
    """Ask the colorist for the colours of those frames in which it is its turn to look.

    With ``leave``, ``FIRST_FRAMES`` units are held until it says of their frames whether all are to be left as they
    are; then no frame is sketched. For each of ``pictures_at_once`` there is a colorist, and a thread, of its own.
    """
    steps = iter(steps)
    if leave is not None:
        first = list(islice(steps, FIRST_FRAMES))
        steps = chain(first, steps)
        if leave([step.frame for step in first if step.frame is not None]):
            yield from steps
            return
    cadence = Cadence(options.rate_hz)
    turns = ((step, step.frame is not None and cadence.is_due(step.frame.time, cut=step.is_cut)) for step in steps)

    def make_sketcher() -> Callable[[tuple[Step, bool]], Step]:
        return partial(_sketched, colorist=make_colorist(), vividness=options.vividness)

    yield from side_by_side(turns, make_sketcher, pictures_at_once)


def _sketched(turn: tuple[Step, bool], *, colorist: Colorist, vividness: float) -> Step:
    step, looks = turn
    if step.frame is None:
        return step
    return replace(step, sketch=sketch_of(step.frame, colorist if looks else None, vividness))


def hold_still(steps: Iterable[Step], options: ColorizeOptions) -> Iterator[Step]:
    """Give every frame that was sketched its colours, holding frames back while what follows them counts too."""
    held = HeldColors(options)
    waiting: deque[Step] = deque()
    for step in steps:
        waiting.append(step)
        if step.frame is not None and step.sketch is not None:
            for colors in held.add(step.frame.time, step.sketch, cut=step.is_cut):
                yield from _up_to_colors(waiting, colors)
        yield from _without_sketch(waiting)
    for colors in held.end():
        yield from _up_to_colors(waiting, colors)
    yield from waiting


def colorize(steps: Iterable[Step]) -> Iterator[Step]:
    """Write every frame's colours, where it was given any, into planes of its own."""
    for step in steps:
        if step.frame is None or step.colors is None:
            yield step
            continue
        frame = with_chroma_planes(step.frame)
        paint_chroma(frame, step.colors.gray, step.colors.ab)
        yield replace(step, unit=replace(step.unit, frame=frame), colors=None)


def direct(steps: Iterable[Step], scenes: SceneBuilder, most_held: int) -> Iterator[Step]:
    """Give each frame its scene, holding frames back while the scene needs what follows.

    No more than ``most_held`` frames are held: beyond that the oldest goes on with what is known.
    """
    waiting: deque[Step] = deque()
    for step in steps:
        if step.observation is not None:
            scenes.add(step.observation)
        waiting.append(step)
        while waiting and _may_go(waiting, scenes, most_held):
            yield _with_scene(waiting.popleft(), scenes)
    scenes.end()
    while waiting:
        yield _with_scene(waiting.popleft(), scenes)


def segment(steps: Iterable[Step], make_segmenter: Callable[[], PersonSegmenter]) -> Iterator[Step]:
    """Put into each frame's scene where people are.

    Every frame is looked at: people move between looks, and their outlines cannot be interpolated as boxes can.
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


def paint(
    steps: Iterable[Step], make_effects: Callable[[], Sequence[Effect]], pictures_at_once: int = 1
) -> Iterator[Step]:
    """Apply the effects, in order, to every frame; each frame's result depends on that frame and its scene alone.

    For each of ``pictures_at_once`` there are effects, and a thread, of its own.
    """
    return side_by_side(steps, lambda: partial(_painted, effects=make_effects()), pictures_at_once)


def _painted(step: Step, *, effects: Sequence[Effect]) -> Step:
    frame, scene = step.frame, step.scene
    if frame is None or scene is None or not effects:
        return step
    frame = with_chroma_planes(frame)
    for effect in effects:
        frame = effect.apply(frame, scene)
    return replace(step, unit=replace(step.unit, frame=frame))


def with_chroma_planes(frame: Frame) -> Frame:
    """The frame in planes of its own that may be written, neutral chroma added where it has none."""
    frame = writable(frame)
    return with_neutral_chroma(frame) if frame.format.chroma == "none" else frame


def write(steps: Iterable[Step], sink: VideoSink | None, timeline: TimelineWriter | None) -> Iterator[Step]:
    """Encode every frame and note every observation; the files are in place when this ends well,
    and gone if it does not."""
    outputs = [output for output in (sink, timeline) if output is not None]
    whole = False
    try:
        for step in steps:
            if sink is not None:
                sink.write(step.unit)
            if timeline is not None and step.observation is not None and step.scene is not None:
                timeline.write(step.observation, step.scene)
            yield step
        for output in outputs:
            output.finish()
        whole = True
    finally:
        if not whole:
            for output in outputs:
                output.abort()


def _up_to_colors(waiting: deque[Step], colors: Colors) -> Iterator[Step]:
    """The steps up to the first that was sketched, which takes the colours."""
    yield from _without_sketch(waiting)
    yield replace(waiting.popleft(), sketch=None, colors=colors)


def _without_sketch(waiting: deque[Step]) -> Iterator[Step]:
    while waiting and waiting[0].sketch is None:
        yield waiting.popleft()


def _next_due(time: float, rate_hz: float) -> float:
    """The next point after ``time`` of a grid in media time."""
    if rate_hz == 0:
        return -math.inf
    # A hair early, so that times which rounding put just before a grid point still count as on it.
    return (math.floor(time * rate_hz + 1e-6) + 1) / rate_hz - 1e-6


def _may_go(waiting: deque[Step], scenes: SceneBuilder, most_held: int) -> bool:
    frame = waiting[0].frame
    return frame is None or len(waiting) > most_held or scenes.is_ready(frame.time)


def _with_scene(step: Step, scenes: SceneBuilder) -> Step:
    return step if step.frame is None else replace(step, scene=scenes.scene_at(step.frame.time))
