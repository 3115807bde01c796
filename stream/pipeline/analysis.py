"""Analysis stages: which faces are where, and which emotion each shows.

    track_faces -> classify        or, where no face matters, detect_cuts alone

They use media time and never the clock, so results cannot depend on the speed of the machine.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from emocolor.analysis import AnalysisInput, FaceTracker, classify_faces
from emocolor.classifier import EmotionClassifier
from emocolor.cuts import CutDetector
from emocolor.faces import Observation

from ..media.source import MediaUnit
from .steps import Pending, Step


def track_faces(
    units: Iterable[MediaUnit], make_face_tracker: Callable[[], FaceTracker], rate_hz: float
) -> Iterator[Pending[AnalysisInput]]:
    """Track faces in the frames that are due: ``rate_hz`` per second of media time (0: all), and the first of a shot.

    ``make_face_tracker`` is called in the stage, like ``make_classifier`` below, so that nets load in parallel while
    decoding goes on.
    """
    tracker = make_face_tracker()
    cuts = CutDetector()
    due = -math.inf
    try:
        for unit in units:
            found = None
            if unit.frame is not None:
                cut = cuts.is_cut(unit.frame)
                if cut or unit.frame.time >= due:
                    found = tracker.track(unit.frame, cut=cut)
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


def detect_cuts(units: Iterable[MediaUnit]) -> Iterator[Step]:
    """Detect where new shots start; in place of ``track_faces`` and ``classify`` where no face matters."""
    cuts = CutDetector()
    for unit in units:
        is_cut = unit.frame is not None and cuts.is_cut(unit.frame)
        seen = Observation(time=unit.frame.time, cut=True, faces=()) if unit.frame is not None and is_cut else None
        yield Step(unit=unit, observation=seen)


def _next_due(time: float, rate_hz: float) -> float:
    """The next point after ``time`` of a grid with ``rate_hz`` points per second, which starts at zero."""
    if rate_hz == 0:
        return -math.inf
    # A microsecond early: rounded timestamps may lie just before the grid point that they belong to.
    return (math.floor(time * rate_hz + 1e-6) + 1) / rate_hz - 1e-6
