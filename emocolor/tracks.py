"""Detections become faces with an identity: tracks.

A track expects its face by constant velocity, damped, and recognises it by place, size and a small
patch of its looks. All pairs of tracks and detections are weighed together, so that two faces that
cross keep their ids. Everything is in media time: the analysis rate hardly matters.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .arrays import GrayImage, Vector
from .assignment import cheapest_pairs
from .face_crops import CropGeometry, crop_face
from .faces import Box, Detection

Patch = NDArray[np.float32]

PATCH_GEOMETRY: Final = CropGeometry(box_width=1.0, eyes_down=0.33)
PATCH_SIZE: Final = 24


@dataclass(frozen=True, kw_only=True)
class TrackOptions:
    """When a detection is the face that was seen before."""

    patience_s: float = 1.0
    """A track ends when its face has not been seen for longer."""
    sure_score: float = 0.75
    """A new face with less must be seen twice."""
    reach: float = 0.5
    """How far from its expected place a face may reappear at once, in face sizes."""
    reach_per_s: float = 1.5
    """How much this grows with each second unseen."""
    motion_memory_s: float = 0.3
    """Time constant of the velocity estimate, and of its fading while the face is unseen."""
    appearance_memory_s: float = 1.0
    """Time constant of the remembered patch."""
    limit: float = 2.0
    """A pair that costs more is two faces; see ``Tracks``."""

    def __post_init__(self) -> None:
        lengths = (self.patience_s, self.reach, self.motion_memory_s, self.appearance_memory_s, self.limit)
        if min(lengths) <= 0 or self.reach_per_s < 0:
            raise ValueError(f"times, reach and limit must be positive, got {self}")


@dataclass(frozen=True, kw_only=True)
class _Track:
    detection: Detection
    """As last seen."""
    time: float
    velocity: Vector
    """(2,) in pixels per second."""
    patch: Patch
    id: int | None
    """None until the track counts."""

    def expected(self, time: float, fading_s: float) -> Detection:
        travelled = fading_s * -math.expm1(-max(0.0, time - self.time) / fading_s)
        return _moved(self.detection, self.velocity * travelled)


class Tracks:
    """Gives faces ids that stay, from 1 upwards, never used twice.

    The cost of taking a detection for a track's face is the sum of its squared distance from the
    expected place over the reach; the squared binary logarithm of the size ratio over 0.8; and one
    less the normalised correlation of the patches.
    """

    def __init__(self, options: TrackOptions | None = None) -> None:
        self._options = options or TrackOptions()
        self._live: list[_Track] = []
        self._last_id = 0

    def expected(self, time: float) -> list[Detection]:
        """Where the faces of all live tracks should be at ``time`` in seconds; scores are the last seen."""
        return [track.expected(time, self._options.motion_memory_s) for track in self._living(time)]

    def update(
        self, time: float, detections: Sequence[Detection], gray: GrayImage, *, cut: bool = False
    ) -> list[tuple[int, Detection]]:
        """The detections of one frame, (H, W) uint8 at ``time`` in seconds, with their track ids.

        ``cut`` says that the frame begins a new shot: all tracks end. A weak new face is left out
        until it is seen again.
        """
        tracks = [] if cut else self._living(time)
        patches = [_patch(gray, detection) for detection in detections]
        pairs = cheapest_pairs(self._costs(tracks, detections, patches, time), self._options.limit)
        track_of = {column: tracks[row] for row, column in pairs}
        paired = {row for row, _ in pairs}
        updated = [
            self._seen_again(track_of[k], detection, patches[k], time)
            if k in track_of
            else self._begun(detection, patches[k], time)
            for k, detection in enumerate(detections)
        ]
        self._live = [*updated, *(track for row, track in enumerate(tracks) if row not in paired)]
        return [(track.id, track.detection) for track in updated if track.id is not None]

    def _living(self, time: float) -> list[_Track]:
        return [track for track in self._live if time - track.time <= self._options.patience_s]

    def _costs(
        self, tracks: Sequence[_Track], detections: Sequence[Detection], patches: Sequence[Patch], time: float
    ) -> NDArray[np.float64]:
        costs = np.zeros((len(tracks), len(detections)))
        for row, track in enumerate(tracks):
            expected = track.expected(time, self._options.motion_memory_s).box
            reach = self._options.reach + self._options.reach_per_s * max(0.0, time - track.time)
            for column, (detection, patch) in enumerate(zip(detections, patches, strict=True)):
                correlation = float((track.patch * patch).sum())
                costs[row, column] = _place_cost(expected, detection.box, reach) + 1 - correlation
        return costs

    def _begun(self, detection: Detection, patch: Patch, time: float) -> _Track:
        number = self._new_id() if detection.score >= self._options.sure_score else None
        return _Track(detection=detection, time=time, velocity=np.zeros(2), patch=patch, id=number)

    def _seen_again(self, track: _Track, detection: Detection, patch: Patch, time: float) -> _Track:
        elapsed = time - track.time
        number = self._new_id() if track.id is None else track.id
        if elapsed <= 0:
            return replace(track, detection=detection, time=time, id=number)
        step = np.subtract(detection.box.center, track.detection.box.center) / elapsed
        fresh = -math.expm1(-elapsed / self._options.motion_memory_s)
        learned = -math.expm1(-elapsed / self._options.appearance_memory_s)
        return _Track(
            detection=detection,
            time=time,
            velocity=(1 - fresh) * track.velocity + fresh * step,
            patch=_normalised((1 - learned) * track.patch + learned * patch),
            id=number,
        )

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id


def _place_cost(expected: Box, seen: Box, reach: float) -> float:
    size = math.sqrt(math.sqrt(expected.area * seen.area))
    distance = math.dist(expected.center, seen.center) / size
    ratio = math.log2(seen.area / expected.area) / 2
    return (distance / reach) ** 2 + (ratio / 0.8) ** 2


def _moved(detection: Detection, by: Vector) -> Detection:
    box = detection.box
    moved = Box(box.x + float(by[0]), box.y + float(by[1]), box.width, box.height)
    return replace(detection, box=moved, keypoints=detection.keypoints + by)


def _patch(gray: GrayImage, detection: Detection) -> Patch:
    """A face's looks: its aligned crop with zero mean and unit length, zeros where flat."""
    return _normalised(crop_face(gray, detection, PATCH_GEOMETRY, PATCH_SIZE).astype(np.float32))


def _normalised(patch: Patch) -> Patch:
    centred = patch - patch.mean()
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length > 1e-6 else np.zeros_like(centred), np.float32)
