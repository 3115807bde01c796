"""Tracking: faces keep their identity from one analysed frame to the next.

A track predicts where its face will be (constant velocity, damped) and recognises it by position, size and a small
patch of its appearance. All tracks and detections are matched together, so that two faces that cross keep their ids.
Everything is in media time, so the analysis rate hardly matters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .arrays import GrayImage, Vector
from .face_crops import CropGeometry, crop_face
from .faces import Box, Detection

Patch = NDArray[np.float32]
"""(24, 24) with zero mean and unit length, or all zeros where the face is flat."""
Costs = NDArray[np.float64]
"""(tracks, detections) costs of taking each detection for each track's face."""

PATCH_GEOMETRY: Final = CropGeometry(box_width=1.0, eyes_down=0.33)
PATCH_SIZE: Final = 24
SIZE_TOLERANCE_OCTAVES: Final = 0.8
"""A face that has grown or shrunk by this power of two costs 1."""


@dataclass(frozen=True, kw_only=True)
class TrackOptions:
    """When a detection is taken for a face seen before. Distances are in face sizes."""

    max_unseen_s: float = 1.0
    """A track ends when its face has not been seen for longer."""
    confirming_score: float = 0.75
    """A new face with a lower score gets its id at the second detection."""
    gate: float = 0.5
    """Distance from the predicted place that costs 1."""
    gate_growth_per_s: float = 1.5
    """How much the gate grows with each second unseen."""
    velocity_memory_s: float = 0.3
    """Time constant of the velocity estimate, and of its decay while the face is unseen."""
    appearance_memory_s: float = 1.0
    """Time constant of the remembered patch."""
    max_cost: float = 2.0
    """From this cost on, a track and a detection are two faces; see :class:`Tracks`."""

    def __post_init__(self) -> None:
        lengths = (self.max_unseen_s, self.gate, self.velocity_memory_s, self.appearance_memory_s, self.max_cost)
        if min(lengths) <= 0 or self.gate_growth_per_s < 0:
            raise ValueError(f"times, gate and max_cost must be positive, got {self}")


@dataclass(frozen=True, kw_only=True)
class _Track:
    detection: Detection
    """The latest."""
    time: float
    """Of the latest detection, in seconds."""
    velocity: Vector
    """(2,) in pixels per second."""
    patch: Patch
    id: int | None
    """None until the track is confirmed."""

    def predicted(self, time: float, decay_s: float) -> Detection:
        """The latest detection moved to where it should be at ``time``; velocity decays by 1/e in ``decay_s``."""
        travelled = decay_s * -math.expm1(-max(0.0, time - self.time) / decay_s)
        return _moved(self.detection, self.velocity * travelled)


class Tracks:
    """Gives faces ids that stay, from 1 upwards, never used twice. Not thread-safe.

    The cost of taking a detection for a track's face is the sum of three terms: the squared distance from the predicted
    place in units of the gate; the squared binary logarithm of the size ratio in units of ``SIZE_TOLERANCE_OCTAVES``;
    and 1 minus the normalized correlation of the patches.
    """

    def __init__(self, options: TrackOptions | None = None) -> None:
        self._options = options or TrackOptions()
        self._live: list[_Track] = []
        self._last_id = 0

    def predicted(self, time: float) -> list[Detection]:
        """Where the faces of all live tracks should be at ``time`` in seconds, with their latest scores."""
        return [track.predicted(time, self._options.velocity_memory_s) for track in self._alive(time)]

    def update(
        self, time: float, detections: Sequence[Detection], gray: GrayImage, *, cut: bool = False
    ) -> list[tuple[int, Detection]]:
        """Match the detections of the frame ``gray``, (H, W) uint8; return those of confirmed tracks with their ids.

        ``time`` is in seconds; frames come in order. ``cut``: a new shot starts with this frame, so all tracks end.
        """
        tracks = [] if cut else self._alive(time)
        patches = [_patch(gray, detection) for detection in detections]
        pairs = min_cost_matching(self._costs(tracks, detections, patches, time), self._options.max_cost)
        track_of = {column: tracks[row] for row, column in pairs}
        paired = {row for row, _ in pairs}
        updated = [
            self._updated_track(track_of[k], detection, patches[k], time)
            if k in track_of
            else self._new_track(detection, patches[k], time)
            for k, detection in enumerate(detections)
        ]
        self._live = [*updated, *(track for row, track in enumerate(tracks) if row not in paired)]
        return [(track.id, track.detection) for track in updated if track.id is not None]

    def _alive(self, time: float) -> list[_Track]:
        return [track for track in self._live if time - track.time <= self._options.max_unseen_s]

    def _costs(
        self, tracks: Sequence[_Track], detections: Sequence[Detection], patches: Sequence[Patch], time: float
    ) -> Costs:
        costs = np.zeros((len(tracks), len(detections)))
        for row, track in enumerate(tracks):
            predicted = track.predicted(time, self._options.velocity_memory_s).box
            gate = self._options.gate + self._options.gate_growth_per_s * max(0.0, time - track.time)
            for column, (detection, patch) in enumerate(zip(detections, patches, strict=True)):
                correlation = float((track.patch * patch).sum())
                costs[row, column] = _geometric_cost(predicted, detection.box, gate) + 1 - correlation
        return costs

    def _new_track(self, detection: Detection, patch: Patch, time: float) -> _Track:
        track_id = self._new_id() if detection.score >= self._options.confirming_score else None
        return _Track(detection=detection, time=time, velocity=np.zeros(2), patch=patch, id=track_id)

    def _updated_track(self, track: _Track, detection: Detection, patch: Patch, time: float) -> _Track:
        elapsed = time - track.time
        track_id = self._new_id() if track.id is None else track.id
        if elapsed <= 0:
            return replace(track, detection=detection, time=time, id=track_id)
        velocity = np.subtract(detection.box.center, track.detection.box.center) / elapsed
        # Exponential moving averages in time, not in frames: the analysis rate varies.
        velocity_weight = -math.expm1(-elapsed / self._options.velocity_memory_s)
        patch_weight = -math.expm1(-elapsed / self._options.appearance_memory_s)
        return _Track(
            detection=detection,
            time=time,
            velocity=(1 - velocity_weight) * track.velocity + velocity_weight * velocity,
            patch=_normalized((1 - patch_weight) * track.patch + patch_weight * patch),
            id=track_id,
        )

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id


def min_cost_matching(costs: Costs, max_cost: float) -> list[tuple[int, int]]:
    """The pairs (row, column) of ``costs`` (N, M), each row and column used at most once, with the least total cost.

    Leaving a row unmatched costs ``max_cost``, so no pair that costs as much or more is made. The result is optimal.
    """
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in min_cost_matching(costs.T, max_cost))
    gains = np.minimum(costs - max_cost, 0.0)
    return [(row, column) for row, column in enumerate(_assignment(gains)) if gains[row, column] < 0]


def _assignment(costs: Costs) -> list[int]:
    """The column of every row of ``costs`` (N, M), N <= M, for the least total cost: the Hungarian method.

    Rows join one by one, each along a shortest path of reduced costs (Jonker and Volgenant 1987).
    """
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1)
    for row in range(rows):
        reached = np.zeros(columns, bool)
        length, came_from = np.full(columns, np.inf), np.full(columns, -1)
        at_row, at_column, walked = row, -1, 0.0
        # Dijkstra's algorithm, from the new row to the nearest free column.
        while at_row >= 0:
            through = walked + costs[at_row] - row_price[at_row] - column_price
            better = ~reached & (through < length)
            length[better], came_from[better] = through[better], at_column
            at_column = int(np.where(reached, np.inf, length).argmin())
            walked = float(length[at_column])
            reached[at_column] = True
            at_row = int(row_of[at_column])
        # Prices move so that reduced costs stay at least 0, and are 0 along the path.
        row_price[row] += walked
        assigned = reached & (row_of >= 0)
        row_price[row_of[assigned]] += walked - length[assigned]
        column_price[reached] -= walked - length[reached]
        # Every row on the path takes the next column, which frees one for the new row.
        while at_column >= 0:
            before = int(came_from[at_column])
            row_of[at_column] = row_of[before] if before >= 0 else row
            at_column = before
    return [int(np.flatnonzero(row_of == row)[0]) for row in range(rows)]


def _geometric_cost(predicted: Box, detected: Box, gate: float) -> float:
    size = math.sqrt(math.sqrt(predicted.area * detected.area))
    distance = math.dist(predicted.center, detected.center) / size
    octaves = math.log2(detected.area / predicted.area) / 2
    return (distance / gate) ** 2 + (octaves / SIZE_TOLERANCE_OCTAVES) ** 2


def _moved(detection: Detection, by: Vector) -> Detection:
    box = detection.box
    moved = Box(box.x + float(by[0]), box.y + float(by[1]), box.width, box.height)
    return replace(detection, box=moved, keypoints=detection.keypoints + by)


def _patch(gray: GrayImage, detection: Detection) -> Patch:
    """A face's appearance: its aligned crop, normalized."""
    return _normalized(crop_face(gray, detection, PATCH_GEOMETRY, PATCH_SIZE).astype(np.float32))


def _normalized(patch: Patch) -> Patch:
    centered = patch - patch.mean()
    length = float(np.linalg.norm(centered))
    return np.asarray(centered / length if length > 1e-6 else np.zeros_like(centered), np.float32)
