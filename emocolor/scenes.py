"""From observations at some times to the scene at any time.

Observations come a few times a second; frames come more often, and at their own times. Boxes are interpolated between
observations, emotions are smoothed, and faces fade in and out as they appear and leave. All of it is in media time, and
nothing crosses a cut.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from .arrays import Vector
from .faces import Box, Face, Observation, ObservedFace, Scene
from .smoothing import MEMORY_TIME_CONSTANTS, History, SmoothingOptions, Span, evidence_at

Weighting = Literal["largest", "area"]

EASE_SECONDS = 0.3
"""Time in which a face fades in or out."""
MAX_GAP_SECONDS = 1.0
"""A face that was missed for no longer than this is assumed to have been there all the time."""


class SceneBuilder:
    """Keeps recent observations and builds the scene at any time. Not thread-safe.

    ``weighting`` decides the emotion of the whole frame: that of the largest face, or of all faces weighted by area.
    """

    def __init__(self, smoothing: SmoothingOptions, weighting: Weighting = "largest") -> None:
        self._smoothing = smoothing
        self._weighting = weighting
        self._observations: list[Observation] = []
        self._ended = False
        self._window: _Window | None = None

    def add(self, observation: Observation) -> None:
        """Take the next observation. Raises ``ValueError`` unless it is later than the one before."""
        if self._observations and observation.time <= self._observations[-1].time:
            raise ValueError(f"observation at {observation.time} s follows one at {self._observations[-1].time} s")
        self._observations.append(observation)

    def end(self) -> None:
        """Declare that no further observation will come."""
        self._ended = True

    def is_ready(self, time: float) -> bool:
        """Whether all observations that affect the scene at ``time`` have come."""
        if self._ended or self._smoothing.look_ahead == 0:
            return True
        until = time + self._smoothing.look_ahead
        # A later cut settles the shot at ``time`` as well as an observation beyond the look-ahead does.
        return any(o.time >= until or (o.cut and o.time > time) for o in reversed(self._observations))

    def scene_at(self, time: float) -> Scene:
        """The scene at ``time``. Times must not decrease, because old observations are dropped."""
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
        """The observations that affect ``time``, cached: they change only a few times a second."""
        shot = self._shot(time)
        if self._window is None or _extent(self._window.shot) != _extent(shot):
            self._window = _Window.of(shot, self._weighting)
        return self._window

    def _shot(self, time: float) -> list[Observation]:
        """Observations of the shot at ``time``, up to and including the first at or beyond the end of the look-ahead.

        Part of that one's span lies before the end.
        """
        known = self._observations
        here = bisect_right(known, time, key=_time)
        first = max((i for i in range(here) if known[i].cut), default=0)
        limit = bisect_left(known, time + self._smoothing.look_ahead, key=_time) + 1
        last = next((i for i in range(here, min(limit, len(known))) if known[i].cut), limit)
        return known[first:last]

    def _forget(self, time: float) -> None:
        horizon = time - max(MEMORY_TIME_CONSTANTS * self._smoothing.time_constant, MAX_GAP_SECONDS + EASE_SECONDS)
        keep_from = bisect_right(self._observations, horizon, key=_time)
        # The last one before the horizon stays, because its span reaches beyond it.
        del self._observations[: max(0, keep_from - 1)]


def _time(observation: Observation) -> float:
    return observation.time


def _extent(shot: Sequence[Observation]) -> tuple[float, ...]:
    """First and last time, which identify a run of observations."""
    return (shot[0].time, shot[-1].time) if shot else ()


@dataclass(frozen=True)
class _TrackPoint:
    """A face in one observation."""

    time: float
    face: ObservedFace


@dataclass(frozen=True)
class _Track:
    """A face within a window: where it was observed, and its evidence."""

    points: list[_TrackPoint]
    history: History


@dataclass(frozen=True)
class _Window:
    """A run of observations within a shot, with the evidence for the frame and for each face."""

    shot: list[Observation]
    frame: History
    tracks: dict[int, _Track]

    @classmethod
    def of(cls, shot: list[Observation], weighting: Weighting) -> "_Window":
        points: dict[int, list[_TrackPoint]] = {}
        for observation in shot:
            for face in observation.faces:
                points.setdefault(face.track_id, []).append(_TrackPoint(observation.time, face))
        edges = list(pairwise(_span_edges(shot)))
        return cls(
            shot=shot,
            frame=History.of(
                [Span(*edge, *_frame_emotion(o.faces, weighting)) for o, edge in zip(shot, edges, strict=True)]
            ),
            tracks={
                track_id: _Track(seen, History.of(_face_spans(shot, edges, track_id, seen[0].time)))
                for track_id, seen in points.items()
            },
        )


def _face_at(time: float, until: float, track_id: int, window: _Window, time_constant: float) -> Face | None:
    track = window.tracks[track_id]
    placed = _placement(time, track.points, window.shot)
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
    """Where each observation's span starts, and where the last one's ends.

    A span reaches half-way to each neighbour; the first and last are as long outward as inward.
    """
    times = [observation.time for observation in shot]
    if not times:
        return []
    if len(times) == 1:
        return [times[0] - 0.0625, times[0] + 0.0625]  # as at 8 analyses a second
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
    """Spans of one track from its first observation on; unseen in observations of the shot without it."""
    spans = []
    for observation, edge in zip(shot, edges, strict=True):
        if observation.time < first_time:
            continue
        face = next((f for f in observation.faces if f.track_id == track_id), None)
        spans.append(Span(*edge, None) if face is None else Span(*edge, face.estimate.probabilities, face.confidence))
    return spans


def _placement(
    time: float, points: Sequence[_TrackPoint], shot: Sequence[Observation]
) -> tuple[Box, float, float] | None:
    """Box, roll in degrees and presence of a face at ``time``; ``None`` if it is not in the frame."""
    here = bisect_right(points, time, key=lambda s: s.time)
    before = points[here - 1] if here else None
    after = points[here] if here < len(points) else None
    if before and after and _bridges_gap(before, after, shot):
        part = (time - before.time) / (after.time - before.time)
        box = before.face.detection.box.mix(after.face.detection.box, part)
        return box, _mix_angle(before.face.detection.roll_degrees, after.face.detection.roll_degrees, part), 1.0
    nearest = min((s for s in (before, after) if s), key=lambda s: abs(s.time - time))
    distance = abs(time - nearest.time)
    presence = 1.0 if _is_beyond_observations(nearest, time, shot) else 1 - distance / EASE_SECONDS
    if presence <= 0:
        return None
    return nearest.face.detection.box, nearest.face.detection.roll_degrees, presence


def _bridges_gap(before: _TrackPoint, after: _TrackPoint, shot: Sequence[Observation]) -> bool:
    """Whether a face was there between two points: if no observation in between missed it, or the gap was short."""
    missed = any(before.time < o.time < after.time for o in shot)
    return not missed or after.time - before.time <= MAX_GAP_SECONDS


def _is_beyond_observations(point: _TrackPoint, time: float, shot: Sequence[Observation]) -> bool:
    """Whether ``time`` lies beyond the shot's observations, on the side of the point: nothing is known there."""
    return (time <= point.time == shot[0].time) or (time >= point.time == shot[-1].time)


def _mix_angle(one: float, other: float, part: float) -> float:
    """Interpolate between two angles in degrees, the short way round."""
    return one + part * ((other - one + 180) % 360 - 180)
