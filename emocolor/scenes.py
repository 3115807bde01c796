"""From observations at some times to the scene at any time.

Observations come a few times a second; frames come more often, and at their own times. Here the
boxes are interpolated between observations, the emotions smoothed, appearing and vanishing faces
eased in and out, all in media time and nothing across a cut.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from .faces import Box, Face, Observation, ObservedFace, Scene, Vector
from .smoothing import FORGOTTEN, Evidence, SmoothingOptions, Span, evidence_at

Weighting = Literal["largest", "area"]

EASE_SECONDS = 0.3
"""How long a face takes to come in or go out."""
PATIENCE_SECONDS = 1.0
"""A face unseen for no longer than this is taken to have been there all the time."""


class SceneBuilder:
    """Keeps what was observed of late and tells the scene at a time.

    ``weighting`` says whose emotion is the picture's: the largest face's, or all faces' by area.
    """

    def __init__(self, smoothing: SmoothingOptions, weighting: Weighting = "largest") -> None:
        self._smoothing = smoothing
        self._weighting = weighting
        self._observations: list[Observation] = []
        self._ended = False

    def add(self, observation: Observation) -> None:
        """Take the next observation, in order of time."""
        if self._observations and observation.time <= self._observations[-1].time:
            raise ValueError(f"observation at {observation.time} s follows one at {self._observations[-1].time} s")
        self._observations.append(observation)

    def end(self) -> None:
        """No further observation will come."""
        self._ended = True

    def is_ready(self, time: float) -> bool:
        """Whether all observations that bear on the scene at ``time`` have come."""
        if self._ended or self._smoothing.look_ahead == 0:
            return True
        until = time + self._smoothing.look_ahead
        return any(o.time >= until or (o.cut and o.time > time) for o in reversed(self._observations))

    def scene_at(self, time: float) -> Scene:
        """The scene at ``time``; times must not go back, so that what is past can be forgotten."""
        shot = self._shot(time)
        picture = self._evidence(time, _picture_spans(shot, self._weighting))
        faces = (self._face_at(time, track_id, shot) for track_id in _track_ids(shot))
        scene = Scene(
            time=time,
            faces=tuple(sorted((f for f in faces if f is not None), key=lambda f: (-f.box.area, f.track_id))),
            probabilities=picture.probabilities,
            certainty=picture.certainty,
            cut=any(o.cut and o.time == time for o in shot),
        )
        self._forget(time)
        return scene

    def _shot(self, time: float) -> list[Observation]:
        """Observations of the shot at ``time``, up to the look-ahead."""
        seen = self._observations
        here = bisect_right(seen, time, key=lambda o: o.time)
        first = max((i for i in range(here) if seen[i].cut), default=0)
        limit = bisect_right(seen, time + self._smoothing.look_ahead, key=lambda o: o.time)
        last = next((i for i in range(here, limit) if seen[i].cut), limit)
        return seen[first:last]

    def _evidence(self, time: float, spans: Sequence[Span]) -> Evidence:
        if self._smoothing.look_ahead == 0:
            spans = [s for s in spans if s.start < time]
        return evidence_at(time, spans, self._smoothing.time_constant)

    def _face_at(self, time: float, track_id: int, shot: Sequence[Observation]) -> Face | None:
        sightings = list(_sightings(shot, track_id))
        placed = _place(time, sightings, shot)
        if placed is None:
            return None
        smoothed = self._evidence(time, _face_spans(shot, track_id, sightings[0].time))
        box, roll, presence = placed
        return Face(
            track_id=track_id,
            box=box,
            roll_degrees=roll,
            probabilities=smoothed.probabilities,
            certainty=smoothed.certainty,
            presence=presence,
        )

    def _forget(self, time: float) -> None:
        horizon = time - max(FORGOTTEN * self._smoothing.time_constant, PATIENCE_SECONDS + EASE_SECONDS)
        keep_from = bisect_right(self._observations, horizon, key=lambda o: o.time)
        del self._observations[: max(0, keep_from - 1)]


@dataclass(frozen=True)
class _Sighting:
    time: float
    face: ObservedFace


def _track_ids(shot: Sequence[Observation]) -> list[int]:
    return sorted({face.track_id for observation in shot for face in observation.faces})


def _sightings(shot: Sequence[Observation], track_id: int) -> Iterator[_Sighting]:
    for observation in shot:
        for face in observation.faces:
            if face.track_id == track_id:
                yield _Sighting(observation.time, face)


def _span_edges(shot: Sequence[Observation]) -> list[float]:
    """Where each observation's span starts, and where the last one's ends: each speaks for the time
    up to half-way to its neighbours, the first and last for as much again as on their inner side."""
    times = [observation.time for observation in shot]
    if len(times) == 1:
        return [times[0] - 0.0625, times[0] + 0.0625]
    middles = [(a + b) / 2 for a, b in pairwise(times)]
    return [times[0] - (middles[0] - times[0]), *middles, times[-1] + (times[-1] - middles[-1])]


def _picture_spans(shot: Sequence[Observation], weighting: Weighting) -> list[Span]:
    if not shot:
        return []
    edges = _span_edges(shot)
    return [
        Span(start, end, *_picture_emotion(observation.faces, weighting))
        for observation, (start, end) in zip(shot, pairwise(edges), strict=True)
    ]


def _picture_emotion(faces: Sequence[ObservedFace], weighting: Weighting) -> tuple[Vector | None, float]:
    if not faces:
        return None, 1.0
    if weighting == "largest":
        largest = max(faces, key=lambda f: (f.detection.box.area, -f.track_id))
        return largest.estimate.probabilities, largest.confidence
    areas = np.array([f.detection.box.area for f in faces])
    trust = areas * np.array([f.confidence for f in faces])
    probabilities = trust @ np.array([f.estimate.probabilities for f in faces]) / trust.sum()
    return probabilities, float(trust.sum() / areas.sum())


def _face_spans(shot: Sequence[Observation], track_id: int, first_time: float) -> list[Span]:
    """Spans of one track from its first sighting on; unseen where the shot was observed without it."""
    edges = _span_edges(shot)
    spans = []
    for observation, (start, end) in zip(shot, pairwise(edges), strict=True):
        if observation.time < first_time:
            continue
        face = next((f for f in observation.faces if f.track_id == track_id), None)
        if face is None:
            spans.append(Span(start, end, None))
        else:
            spans.append(Span(start, end, face.estimate.probabilities, face.confidence))
    return spans


def _place(time: float, sightings: Sequence[_Sighting], shot: Sequence[Observation]) -> tuple[Box, float, float] | None:
    """Box, roll and presence of a face at ``time``, or ``None`` where it is out of the picture."""
    here = bisect_right(sightings, time, key=lambda s: s.time)
    before = sightings[here - 1] if here else None
    after = sightings[here] if here < len(sightings) else None
    if before and after and _was_there(before, after, shot):
        part = (time - before.time) / (after.time - before.time)
        box = before.face.detection.box.mix(after.face.detection.box, part)
        return box, _mix_angle(before.face.detection.roll_degrees, after.face.detection.roll_degrees, part), 1.0
    nearest = min((s for s in (before, after) if s), key=lambda s: abs(s.time - time))
    away = abs(time - nearest.time)
    presence = 1.0 if _is_edge_of_knowledge(nearest, time, shot) else 1 - away / EASE_SECONDS
    if presence <= 0:
        return None
    return nearest.face.detection.box, nearest.face.detection.roll_degrees, presence


def _was_there(before: _Sighting, after: _Sighting, shot: Sequence[Observation]) -> bool:
    """Between neighbouring observations always; across observations without it, if they were few."""
    missed = any(before.time < o.time < after.time for o in shot)
    return not missed or after.time - before.time <= PATIENCE_SECONDS


def _is_edge_of_knowledge(sighting: _Sighting, time: float, shot: Sequence[Observation]) -> bool:
    """The sighting is the shot's first or latest observation, and ``time`` lies beyond it."""
    return (time <= sighting.time == shot[0].time) or (time >= sighting.time == shot[-1].time)


def _mix_angle(one: float, other: float, part: float) -> float:
    """Between two angles in degrees, the short way round."""
    return one + part * ((other - one + 180) % 360 - 180)
