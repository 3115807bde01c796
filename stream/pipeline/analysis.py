"""Analysis stages: where shots start, which faces are where, and which emotion each shows.

    mark_cuts -> track_faces -> classify        or, where no face matters, mark_cuts -> observe_cuts

They use media time and never the clock, so results cannot depend on the speed of the machine.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from emocolor.analysis import AnalysisInput, FaceTracker, classify_faces
from emocolor.classifier import EmotionClassifier
from emocolor.faces import Observation
from emocolor.frames import Frame

from ..media.source import MediaUnit
from .steps import Pending, Step


class Cuts(Protocol):
    """Knows where shots start."""

    def is_cut(self, frame: Frame) -> bool:
        """Whether a new shot starts with ``frame``. It is called with every frame, in order."""
        ...


def mark_cuts(units: Iterable[MediaUnit], cuts: Cuts) -> Iterator[MediaUnit]:
    """Mark the frames that start a shot, once for all stages: what is done to frames later must not move a cut."""
    for unit in units:
        is_cut = unit.frame is not None and cuts.is_cut(unit.frame)
        yield replace(unit, cut=True) if is_cut else unit


def track_faces(
    units: Iterable[MediaUnit], make_face_tracker: Callable[[], FaceTracker], rate_hz: float
) -> Iterator[Pending[AnalysisInput]]:
    """Track faces in the frames that are due: ``rate_hz`` per second of media time (0: all), and the first of a shot.

    ``make_face_tracker`` is called in the stage, like ``make_classifier`` below, so that nets load in parallel while
    decoding goes on.
    """
    tracker = make_face_tracker()
    due = -math.inf
    try:
        for unit in units:
            found = None
            if unit.frame is not None and (unit.cut or unit.frame.time >= due):
                found = tracker.track(unit.frame, cut=unit.cut)
                due = _next_due(unit.frame.time, rate_hz)
            yield Pending(Step(unit=unit), found)
    finally:
        tracker.detector.close()


def classify(
    tracked: Iterable[Pending[AnalysisInput]], make_classifier: Callable[[], EmotionClassifier]
) -> Iterator[Step]:
    """Classify the faces of every analysed frame."""
    classifier = make_classifier()
    for pending in tracked:
        found = pending.payload
        yield pending.step if found is None else replace(pending.step, observation=classify_faces(found, classifier))


def observe_cuts(units: Iterable[MediaUnit]) -> Iterator[Step]:
    """Observe nothing but the cuts; in place of ``track_faces`` and ``classify`` where no face matters."""
    for unit in units:
        seen = Observation(time=unit.frame.time, cut=True, faces=()) if unit.frame is not None and unit.cut else None
        yield Step(unit=unit, observation=seen)


def _next_due(time: float, rate_hz: float) -> float:
    """The next point after ``time`` of a grid with ``rate_hz`` points per second, which starts at zero."""
    if rate_hz == 0:
        return -math.inf
    # A microsecond early: rounded timestamps may lie just before the grid point that they belong to.
    return (math.floor(time * rate_hz + 1e-6) + 1) / rate_hz - 1e-6
