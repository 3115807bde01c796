"""Faces by MediaPipe: a coarse sweep finds candidates, a close look makes faces of them.

The full-range net looks at the whole image and at overlapping tiles of it; it sees faces down to
about a fifteenth of a tile's side. The short-range net then looks at every candidate, and at every
face that is already known, in a square a few times its size. So a face needs both nets to
appear, is followed by the cheap one, and has the same kind of box wherever it was found.
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

from .log import one_line, quiet_stderr, quiet_until_settled
from .models import model_path
from .task import open_task

SHORT_RANGE: Final = "mediapipe/blaze_face_short_range.tflite"
FULL_RANGE: Final = "mediapipe/face_detection_full_range_sparse.tflite"


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """How hard to look, and what to believe."""

    tile_share: float = 0.41
    """Side of the smallest tiles as a part of the image's shorter side."""
    least_tile: int = 400
    """The smallest tiles are not smaller than this, in pixels."""
    calls_per_whole: int = 2
    """Every how many calls the whole image is looked at for new faces: half as often while faces are followed, and in
    every call in which one was lost."""
    calls_per_sweep: int = 16
    """In how many calls the tiles take turns, for new small faces."""
    calls_per_refusal: int = 6
    """For how many calls a candidate that was no face is not looked at again."""
    close_range: float = 3.0
    """Side of a close look in multiples of the face's box."""
    candidate_score: float = 0.15
    """The full-range net's score from which a candidate gets a close look."""
    new_score: float = 0.75
    """The short-range net's score from which a candidate is a face on its word alone."""
    agreed_scores: tuple[float, float] = (0.4, 0.6)
    """The full-range and the short-range net's scores from which both together make a face."""
    known_score: float = 0.4
    """The short-range net's score from which a known face is still there."""

    def __post_init__(self) -> None:
        if not (0 < self.tile_share <= 1 and self.least_tile > 0):
            raise ValueError(f"tile_share in (0, 1] and least_tile above 0 are needed, got {self}")
        if min(self.calls_per_whole, self.calls_per_sweep, self.calls_per_refusal) < 1:
            raise ValueError(f"calls_per_whole, calls_per_sweep and calls_per_refusal above 0 are needed, got {self}")
        if self.close_range < 1:
            raise ValueError(f"close_range must be at least 1, got {self.close_range}")


class MediaPipeFaceDetector:
    """Finds faces in gray images.

    A detection's box is the short-range net's: a square from the brow to the chin, about from ear
    to ear for a frontal face. Results depend only on the images given since the last sweep,
    in their order. Not for several threads at once.

    Raises ``MissingDependencyError`` where MediaPipe or a system library it needs is absent, and
    ``EngineError`` where a model cannot be used.
    """

    def __init__(self, options: DetectorOptions | None = None) -> None:
        self._options = options or DetectorOptions()
        least = min(self._options.known_score, self._options.new_score, self._options.agreed_scores[1])
        self._short_range = _Net(SHORT_RANGE, side=256, least_score=least)
        self._full_range = _Net(FULL_RANGE, side=192, least_score=self._options.candidate_score)
        self._shape: tuple[int, ...] = ()
        self._tiles: list[CropRegion] = []
        self._turn = 0
        self._refused: list[_Refusal] = []

    def detect(
        self, gray: GrayImage, known: Sequence[Detection], rotation: Rotation, *, sweep: bool = False
    ) -> list[Detection]:
        """Faces in ``gray``, (H, W) uint8 full range, best first; boxes and keypoints in its pixels.

        ``known`` are faces where they are expected, looked for at close range. ``rotation`` is how
        a player turns the image clockwise; the nets see it upright. ``sweep`` looks at all tiles
        now, as the first call and a change of size do; otherwise they take turns. Where a known face is not found, the
        whole image is looked at for where it went.
        """
        if gray.ndim != 2 or gray.dtype != np.uint8:
            raise ValueError(f"gray must be (H, W) uint8, got {gray.shape} {gray.dtype}")
        image = _Image(gray, rotation)
        found = [self._look_closer(image, face, self._options.known_score) for face in known]
        followed = without_duplicates([face for face in found if face])
        every = 1 if None in found else self._options.calls_per_whole * (2 if found else 1)
        tiles = self._tiles_of_this_call(gray.shape, sweep, every)
        coarse = [face for tile in tiles for face in self._full_range.faces(image, tile)]
        candidates = [face for face in without_duplicates(coarse, followed) if not self._was_refused(face)]
        found = [self._confirm(image, candidate) for candidate in candidates]
        fresh = without_duplicates([face for face in found if face], followed)
        return sorted([*followed, *fresh], key=lambda face: -face.score)

    def close(self) -> None:
        """Free the nets; a second call does nothing. One left to the interpreter's exit complains on stderr."""
        self._short_range.close()
        self._full_range.close()

    def _tiles_of_this_call(self, shape: tuple[int, ...], sweep: bool, calls_per_whole: int) -> list[CropRegion]:
        if shape != self._shape:
            height, width = shape
            small = max(self._options.least_tile, round(self._options.tile_share * min(shape)))
            self._tiles = tiles_of((width, height), small)
            self._shape, sweep = shape, True
        whole, *others = self._tiles
        self._turn = 0 if sweep else self._turn + 1
        self._refused = [] if sweep else [refusal for refusal in self._refused if refusal.until > self._turn]
        if sweep:
            return self._tiles
        turns = self._options.calls_per_sweep
        found = others[self._turn % turns :: turns]
        return found if self._turn % calls_per_whole else [whole, *found]

    def _was_refused(self, face: Detection) -> bool:
        return any(similarity(face.box, refusal.box) > 0.6 for refusal in self._refused)

    def _confirm(self, image: "_Image", candidate: Detection) -> Detection | None:
        coarse, close = self._options.agreed_scores
        least = close if candidate.score >= coarse else self._options.new_score
        face = self._look_closer(image, candidate, least)
        if face is None:
            self._refused.append(_Refusal(candidate.box, self._turn + self._options.calls_per_refusal))
        return face

    def _look_closer(self, image: "_Image", face: Detection, least_score: float) -> Detection | None:
        """``face`` as the short-range net sees it, if it does."""
        height, width = image.gray.shape
        region = square_around(face.box, self._options.close_range, (width, height))
        if region is None:
            return None
        found = self._short_range.faces(image, region)
        return best_match(face.box, [one for one in found if one.score >= least_score])


@dataclass(frozen=True)
class _Image:
    gray: GrayImage
    rotation: Rotation


@dataclass(frozen=True)
class _Refusal:
    box: Box
    """Of a candidate that a close look did not find to be a face."""
    until: int
    """The turn from which it may be looked at again."""


class _Net:
    """One MediaPipe face detection model, run on square inputs of one size."""

    def __init__(self, name: str, *, side: int, least_score: float) -> None:
        self._side = side
        with quiet_stderr():
            # What MediaPipe says at its first run it says once, so the first run is here.
            self._image, detector = open_task(model_path(name), partial(_detector, least_score))
            self._run(detector, np.zeros((side, side), np.uint8))
        self._detector = detector

    def faces(self, image: _Image, region: CropRegion) -> list[Detection]:
        """Faces in one region of a image, in the image's pixels."""
        view = CropView(region=region, rotation=image.rotation, side=self._side)
        return [_detection(one, view) for one in self._run(self._detector, view.input(image.gray))]

    def close(self) -> None:
        with quiet_stderr():
            self._detector.close()

    def _run(self, detector: Any, gray: GrayImage) -> list[Any]:
        image = self._image(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))
        try:
            with quiet_until_settled():
                return list(detector.detect(image).detections)
        except RuntimeError as error:
            raise EngineError(f"MediaPipe failed to look for faces: {one_line(error)}.") from error


def _detector(least_score: float, base_options: Any) -> Any:
    from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions

    return FaceDetector.create_from_options(
        FaceDetectorOptions(base_options=base_options, min_detection_confidence=least_score)
    )


def _detection(found: Any, view: CropView) -> Detection:
    """MediaPipe's detection in a net's input, as ours in the image."""
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
