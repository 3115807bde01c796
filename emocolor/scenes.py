"""From observations at some times to the scene at any time.

Observations come a few times a second; frames come more often, and at their own times. Here the
boxes are interpolated between observations, the emotions smoothed, appearing and vanishing faces
eased in and out, all in media time and nothing across a cut.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from .arrays import Vector
from .faces import Box, Face, Observation, ObservedFace, Scene
from .smoothing import FORGOTTEN, History, SmoothingOptions, Span, evidence_at

Weighting = Literal["largest", "area"]

EASE_SECONDS = 0.3
"""How long a face takes to come in or go out."""
PATIENCE_SECONDS = 1.0
"""A face unseen for no longer than this is taken to have been there all the time."""


class SceneBuilder:
    """Keeps what was observed of late and tells the scene at a time.

    ``weighting`` says whose emotion is the frame's: the largest face's, or all faces' by area.
    """

    def __init__(self, smoothing: SmoothingOptions, weighting: Weighting = "largest") -> None:
        self._smoothing = smoothing
        self._weighting = weighting
        self._observations: list[Observation] = []
        self._ended = False
        self._window: _Window | None = None

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
        window, tau = self._window_at(time), self._smoothing.time_constant
        until = time + self._smoothing.look_ahead
        frame = evidence_at(time, window.frame, tau, until)
        faces = (_face_at(time, until, track_id, window, tau) for track_id in window.tracks)
        scene = Scene(
            time=time,
            faces=tuple(sorted((f for f in faces if f is not None), key=lambda f: (-f.box.area, f.track_id))),
            probabilities=frame.probabilities,
            certainty=frame.certainty,
            cut=any(o.cut and o.time == time for o in window.shot),
        )
        self._forget(time)
        return scene

    def _window_at(self, time: float) -> "_Window":
        """What bears on ``time``; made anew only when that changes, a few times a second."""
        shot = self._shot(time)
        if self._window is None or _extent(self._window.shot) != _extent(shot):
            self._window = _Window.of(shot, self._weighting)
        return self._window

    def _shot(self, time: float) -> list[Observation]:
        """Observations of the shot at ``time``, to the first that reaches the look-ahead's end: part of
        what that one stands for lies before it."""
        seen = self._observations
        here = bisect_right(seen, time, key=_time)
        first = max((i for i in range(here) if seen[i].cut), default=0)
        limit = bisect_left(seen, time + self._smoothing.look_ahead, key=_time) + 1
        last = next((i for i in range(here, min(limit, len(seen))) if seen[i].cut), limit)
        return seen[first:last]

    def _forget(self, time: float) -> None:
        horizon = time - max(FORGOTTEN * self._smoothing.time_constant, PATIENCE_SECONDS + EASE_SECONDS)
        keep_from = bisect_right(self._observations, horizon, key=lambda o: o.time)
        del self._observations[: max(0, keep_from - 1)]


def _time(observation: Observation) -> float:
    return observation.time


def _extent(shot: Sequence[Observation]) -> tuple[float, ...]:
    """The first and last time, which tell a run of the observations from any other."""
    return (shot[0].time, shot[-1].time) if shot else ()


@dataclass(frozen=True)
class _Sighting:
    time: float
    face: ObservedFace


@dataclass(frozen=True)
class _Track:
    """One face within a window."""

    sightings: list[_Sighting]
    history: History


@dataclass(frozen=True)
class _Window:
    """The observations that bear on a time, and what they say of the frame and of each face."""

    shot: list[Observation]
    frame: History
    tracks: dict[int, _Track]

    @classmethod
    def of(cls, shot: list[Observation], weighting: Weighting) -> "_Window":
        sightings: dict[int, list[_Sighting]] = {}
        for observation in shot:
            for face in observation.faces:
                sightings.setdefault(face.track_id, []).append(_Sighting(observation.time, face))
        edges = list(pairwise(_span_edges(shot)))
        return cls(
            shot=shot,
            frame=History.of(
                [Span(*edge, *_frame_emotion(o.faces, weighting)) for o, edge in zip(shot, edges, strict=True)]
            ),
            tracks={
                track_id: _Track(seen, History.of(_face_spans(shot, edges, track_id, seen[0].time)))
                for track_id, seen in sightings.items()
            },
        )


def _face_at(time: float, until: float, track_id: int, window: _Window, time_constant: float) -> Face | None:
    track = window.tracks[track_id]
    placed = _place(time, track.sightings, window.shot)
    if placed is None:
        return None
    smoothed = evidence_at(time, track.history, time_constant, until)
    box, roll, presence = placed
    return Face(
        track_id=track_id,
        box=box,
        roll_degrees=roll,
        probabilities=smoothed.probabilities,
        certainty=smoothed.certainty,
        presence=presence,
    )


def _span_edges(shot: Sequence[Observation]) -> list[float]:
    """Where each observation's span starts, and where the last one's ends: each speaks for the time
    up to half-way to its neighbours, the first and last for as much again as on their inner side."""
    times = [observation.time for observation in shot]
    if not times:
        return []
    if len(times) == 1:
        return [times[0] - 0.0625, times[0] + 0.0625]
    middles = [(a + b) / 2 for a, b in pairwise(times)]
    return [times[0] - (middles[0] - times[0]), *middles, times[-1] + (times[-1] - middles[-1])]


def _frame_emotion(faces: Sequence[ObservedFace], weighting: Weighting) -> tuple[Vector | None, float]:
    if not faces:
        return None, 1.0
    if weighting == "largest":
        largest = max(faces, key=lambda f: (f.detection.box.area, -f.track_id))
        return largest.estimate.probabilities, largest.confidence
    areas = np.array([f.detection.box.area for f in faces])
    trust = areas * np.array([f.confidence for f in faces])
    probabilities = trust @ np.array([f.estimate.probabilities for f in faces]) / trust.sum()
    return probabilities, float(trust.sum() / areas.sum())


def _face_spans(
    shot: Sequence[Observation], edges: Sequence[tuple[float, float]], track_id: int, first_time: float
) -> list[Span]:
    """Spans of one track from its first sighting on; unseen where the shot was observed without it."""
    spans = []
    for observation, edge in zip(shot, edges, strict=True):
        if observation.time < first_time:
            continue
        face = next((f for f in observation.faces if f.track_id == track_id), None)
        spans.append(Span(*edge, None) if face is None else Span(*edge, face.estimate.probabilities, face.confidence))
    return spans


def _place(time: float, sightings: Sequence[_Sighting], shot: Sequence[Observation]) -> tuple[Box, float, float] | None:
    """Box, roll and presence of a face at ``time``, or ``None`` where it is out of the frame."""
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
