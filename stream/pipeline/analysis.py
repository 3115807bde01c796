"""Analysis stages: which faces are where, and which emotion each shows.

    track_faces -> classify        or, where no face matters, detect_cuts alone

None reads a clock: media time decides everything, so a result cannot depend on a machine's speed.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from emocolor.analysis import AnalysisInput, FaceTracker, classify_faces
from emocolor.classifier import EmotionClassifier
from emocolor.cuts import CutDetector
from emocolor.faces import Observation

from ..media.source import Unit
from .steps import Pending, Step


def track_faces(
    units: Iterable[Unit], make_face_tracker: Callable[[], FaceTracker], rate_hz: float
) -> Iterator[Pending[AnalysisInput]]:
    """Track faces in the frames that are due: ``rate_hz`` times a second of media time (0: every frame), and where a
    new shot starts.

    ``make_face_tracker`` is called here, as ``make_classifier`` below, so that nets load side by side and while
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


def detect_cuts(units: Iterable[Unit]) -> Iterator[Step]:
    """In place of ``track_faces`` and ``classify`` where no face matters: only where a new shot starts."""
    cuts = CutDetector()
    for unit in units:
        is_cut = unit.frame is not None and cuts.is_cut(unit.frame)
        seen = Observation(time=unit.frame.time, cut=True, faces=()) if unit.frame is not None and is_cut else None
        yield Step(unit=unit, observation=seen)


def _next_due(time: float, rate_hz: float) -> float:
    """The next point after ``time`` of a grid in media time."""
    if rate_hz == 0:
        return -math.inf
    # A hair early, so that times which rounding put just before a grid point still count as on it.
    return (math.floor(time * rate_hz + 1e-6) + 1) / rate_hz - 1e-6
