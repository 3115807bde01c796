"""Faces by MediaPipe: a coarse search proposes candidates, a close-up confirms them.

The full-range net searches the whole image and overlapping tiles of it; it finds faces down to about a fifteenth of a
tile's side. The short-range net then runs on a close-up, a square a few times the size of each candidate and of each
face that is already known. So a new face needs both nets, a known face only the cheap one, and boxes are alike however
a face was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import cv2
import numpy as np

from emocolor.arrays import GrayImage
from emocolor.errors import EngineError
from emocolor.face_search import (
    CropRegion,
    CropView,
    best_match,
    similarity,
    square_around,
    tiles_of,
    without_duplicates,
)
from emocolor.faces import Box, Detection
from emocolor.frames import Rotation

from .log import one_line, quiet_stderr, quiet_until_logged_once
from .models import model_path
from .task import open_task

SHORT_RANGE: Final = "mediapipe/blaze_face_short_range.tflite"
FULL_RANGE: Final = "mediapipe/face_detection_full_range_sparse.tflite"


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """How often to search, and which scores suffice."""

    tile_share: float = 0.41
    """Side of the smallest tiles, as a fraction of the image's shorter side."""
    min_tile: int = 400
    """Minimum side of tiles in pixels."""
    calls_per_whole: int = 2
    """The whole image is searched for new faces in one of so many calls: half as often while faces are tracked, and in
    every call in which one was lost."""
    calls_per_sweep: int = 16
    """All tiles are searched once in so many calls, for new small faces."""
    calls_per_rejection: int = 6
    """A candidate that was no face is ignored for so many calls."""
    close_range: float = 3.0
    """Side of a close-up, in multiples of the face's box."""
    candidate_score: float = 0.15
    """Minimum score of the full-range net for a candidate."""
    new_score: float = 0.75
    """Minimum score of the short-range net for a new face, whatever the full-range net's score."""
    agreed_scores: tuple[float, float] = (0.4, 0.6)
    """Lower minimum scores of the full-range and the short-range net for a new face that both find."""
    known_score: float = 0.4
    """Minimum score of the short-range net for a known face."""

    def __post_init__(self) -> None:
        if not (0 < self.tile_share <= 1 and self.min_tile > 0):
            raise ValueError(f"tile_share in (0, 1] and min_tile above 0 are needed, got {self}")
        if min(self.calls_per_whole, self.calls_per_sweep, self.calls_per_rejection) < 1:
            raise ValueError(f"calls_per_whole, calls_per_sweep and calls_per_rejection above 0 are needed, got {self}")
        if self.close_range < 1:
            raise ValueError(f"close_range must be at least 1, got {self.close_range}")


class MediaPipeFaceDetector:
    """Finds faces in gray images.

    A detection's box is the short-range net's: a square from brow to chin, and about from ear to ear if the face is
    frontal. Results depend only on the images since the last sweep, in their order. Not thread-safe.

    Opening it raises ``MissingDependencyError`` if MediaPipe or a system library that it needs is absent, and
    ``EngineError`` if a model cannot be used.
    """

    def __init__(self, options: DetectorOptions | None = None) -> None:
        self._options = options or DetectorOptions()
        least = min(self._options.known_score, self._options.new_score, self._options.agreed_scores[1])
        self._short_range = _Net(SHORT_RANGE, side=256, min_score=least)
        self._full_range = _Net(FULL_RANGE, side=192, min_score=self._options.candidate_score)
        self._shape: tuple[int, ...] = ()
        self._tiles: list[CropRegion] = []
        self._call = 0
        """Calls since the last sweep."""
        self._rejections: list[_Rejection] = []

    def detect(
        self, gray: GrayImage, known: Sequence[Detection], rotation: Rotation, *, sweep: bool = False
    ) -> list[Detection]:
        """Faces in ``gray``, (H, W) uint8 full range, best first; boxes and keypoints in its pixels.

        ``known`` are faces where they are expected, each searched for in a close-up; if one is not found, the whole
        image is searched. ``rotation`` is how far a player turns the image clockwise; the nets see it upright.
        ``sweep`` searches all tiles in this call, as the first call and a change of size do; otherwise they take
        turns. Raises ``ValueError`` for other arrays and ``EngineError``.
        """
        if gray.ndim != 2 or gray.dtype != np.uint8:
            raise ValueError(f"gray must be (H, W) uint8, got {gray.shape} {gray.dtype}")
        image = _Image(gray, rotation)
        found = [self._in_close_up(image, face, self._options.known_score) for face in known]
        tracked = without_duplicates([face for face in found if face])
        calls_per_whole = 1 if None in found else self._options.calls_per_whole * (2 if found else 1)
        tiles = self._tiles_of_this_call(gray.shape, sweep, calls_per_whole)
        coarse = [face for tile in tiles for face in self._full_range.faces(image, tile)]
        candidates = [face for face in without_duplicates(coarse, tracked) if not self._was_rejected(face)]
        found = [self._confirm(image, candidate) for candidate in candidates]
        new = without_duplicates([face for face in found if face], tracked)
        return sorted([*tracked, *new], key=lambda face: -face.score)

    def close(self) -> None:
        """Free the nets; a second call does nothing. If it is never closed, MediaPipe complains when Python exits."""
        self._short_range.close()
        self._full_range.close()

    def _tiles_of_this_call(self, shape: tuple[int, ...], sweep: bool, calls_per_whole: int) -> list[CropRegion]:
        if shape != self._shape:
            height, width = shape
            small = max(self._options.min_tile, round(self._options.tile_share * min(shape)))
            self._tiles = tiles_of((width, height), small)
            self._shape, sweep = shape, True
        whole, *others = self._tiles
        self._call = 0 if sweep else self._call + 1
        self._rejections = [] if sweep else [one for one in self._rejections if one.until > self._call]
        if sweep:
            return self._tiles
        turns = self._options.calls_per_sweep
        found = others[self._call % turns :: turns]
        return found if self._call % calls_per_whole else [whole, *found]

    def _was_rejected(self, face: Detection) -> bool:
        return any(similarity(face.box, rejection.box) > 0.6 for rejection in self._rejections)

    def _confirm(self, image: "_Image", candidate: Detection) -> Detection | None:
        coarse, close = self._options.agreed_scores
        least = close if candidate.score >= coarse else self._options.new_score
        face = self._in_close_up(image, candidate, least)
        if face is None:
            self._rejections.append(_Rejection(candidate.box, self._call + self._options.calls_per_rejection))
        return face

    def _in_close_up(self, image: "_Image", face: Detection, min_score: float) -> Detection | None:
        """``face`` as the short-range net finds it in a close-up, or ``None``."""
        height, width = image.gray.shape
        region = square_around(face.box, self._options.close_range, (width, height))
        if region is None:
            return None
        found = self._short_range.faces(image, region)
        return best_match(face.box, [one for one in found if one.score >= min_score])


@dataclass(frozen=True)
class _Image:
    gray: GrayImage
    rotation: Rotation


@dataclass(frozen=True)
class _Rejection:
    box: Box
    """Box of a candidate in which no close-up showed a face."""
    until: int
    """The call from which on it may be a candidate again."""


class _Net:
    """One MediaPipe face detection model that runs on square inputs of one size."""

    def __init__(self, name: str, *, side: int, min_score: float) -> None:
        self._side = side
        with quiet_stderr():
            # MediaPipe logs some lines at its first run only, so the first run is here, where they are filtered.
            self._image, detector = open_task(model_path(name), partial(_detector, min_score))
            self._run(detector, np.zeros((side, side), np.uint8))
        self._detector = detector

    def faces(self, image: _Image, region: CropRegion) -> list[Detection]:
        """Faces in one region of an image, in the image's pixels."""
        view = CropView(region=region, rotation=image.rotation, side=self._side)
        return [_detection(one, view) for one in self._run(self._detector, view.input(image.gray))]

    def close(self) -> None:
        with quiet_stderr():
            self._detector.close()

    def _run(self, detector: Any, gray: GrayImage) -> list[Any]:
        image = self._image(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))
        try:
            with quiet_until_logged_once():
                return list(detector.detect(image).detections)
        except RuntimeError as error:
            raise EngineError(f"MediaPipe failed to detect faces: {one_line(error)}.") from error


def _detector(min_score: float, base_options: Any) -> Any:
    from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions

    return FaceDetector.create_from_options(
        FaceDetectorOptions(base_options=base_options, min_detection_confidence=min_score)
    )


def _detection(found: Any, view: CropView) -> Detection:
    """Convert MediaPipe's detection in a net's input to ours in the image."""
    box = found.bounding_box
    left, top = box.origin_x, box.origin_y
    corners = view.to_frame(np.array([[left, top], [left + box.width, top + box.height]], np.float64))
    (x, y), (width, height) = corners.min(axis=0), np.ptp(corners, axis=0)
    keypoints = np.array([[point.x, point.y] for point in found.keypoints], np.float64) * view.side
    return Detection(
        box=Box(float(x), float(y), float(width), float(height)),
        keypoints=view.to_frame(keypoints),
        score=float(found.categories[0].score),
    )
