"""Faces as the nets expect them: upright gray squares with the eyes at a fixed height.

A crop is level with the head, so that a tilt does not matter, and as wide as the detector's box
says: of all the measures at hand the box varies least from frame to frame and between heads. Its
centre across is the box's, since the eyes of a turned head lie well off the middle of a crop;
its height is the eyes', which hardly move with the turn.
"""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from .arrays import GrayImage, Vector
from .faces import Detection


@dataclass(frozen=True, kw_only=True)
class CropGeometry:
    """Where a face lies in its crop; lengths are parts of the crop's side."""

    box_width: float
    """How much of the side the detector's box takes."""
    eyes_down: float
    """How far below the top edge the eyes lie."""

    def __post_init__(self) -> None:
        if not (self.box_width > 0 and 0 <= self.eyes_down <= 1):
            raise ValueError(f"box_width must be positive and eyes_down within the crop, got {self}")

    def scaled(self, times: float) -> "CropGeometry":
        """The crop ``times`` as wide about the middle of the face's box, which lies below the eyes."""
        return CropGeometry(box_width=self.box_width / times, eyes_down=0.5 - (0.5 - self.eyes_down) / times)


FER2013: Final = CropGeometry(box_width=0.84, eyes_down=0.40)
"""How FER2013 frames its faces: medians over 2,027 training images (``training.emotion.face_geometry``)."""


def crop_face(gray: GrayImage, detection: Detection, geometry: CropGeometry, size: int) -> GrayImage:
    """The face as a (size, size) uint8 crop of ``gray`` (H, W), without aliasing.

    What lies outside the frame repeats the frame's edge.
    """
    along = head_axis(detection)
    down = np.array([-along[1], along[0]])
    side = detection.box.width / geometry.box_width
    middle, eyes = np.array(detection.box.center), detection.keypoints[:2].mean(axis=0)
    eye_level = middle + ((eyes - middle) @ down) * down
    corner = eye_level - side * (0.5 * along + geometry.eyes_down * down)
    # At least one sample per source pixel, then averaged down.
    samples = size * max(1, math.ceil(side / size))
    step = side / samples
    origin = corner + (along + down) * step / 2 - 0.5
    matrix = np.column_stack([along * step, down * step, origin])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(gray, matrix, (samples, samples), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def head_axis(detection: Detection) -> Vector:
    """Unit vector (2,) from the person's right to left, level with the head.

    The eye line and the normal of the line from eyes to mouth, by their lengths: the eye line of a
    profile is too short to trust alone.
    """
    right, left, mouth = detection.keypoints[0], detection.keypoints[1], detection.keypoints[3]
    drop = mouth - (right + left) / 2
    axis = (left - right) + np.array([drop[1], -drop[0]])
    length = float(np.hypot(*axis))
    return np.asarray(axis / length if length > 1e-6 else np.array([1.0, 0.0]), np.float64)


FULL_SIZE: Final = 64.0
"""Box width in pixels from which size no longer limits the estimate."""
HALF_SHARPNESS: Final = 0.05
"""Sharpness at which a crop counts half."""
DOUBTFUL: Final = 0.2
"""Mutual information in nats that takes the confidence down to 1/e."""


def observation_confidence(detection: Detection, crop: GrayImage, mutual_information: float) -> float:
    """How far to trust an estimate made from ``crop``, in (0, 1].

    The product of four parts, each in (0, 1]: ``min(1, width / 64 px)``; the cosine of the yaw,
    at least 0.2; ``s / (s + 0.05)`` for the crop's ``sharpness`` s; and
    ``exp(-mutual_information / 0.2 nats)``. Not below 0.01.
    """
    size = min(1.0, detection.box.width / FULL_SIZE)
    frontal = max(0.2, math.cos(math.radians(detection.yaw_degrees)))
    sharp = sharpness(crop)
    agreed = math.exp(-max(0.0, mutual_information) / DOUBTFUL)
    return max(0.01, size * frontal * sharp / (sharp + HALF_SHARPNESS) * agreed)


def sharpness(crop: GrayImage) -> float:
    """Variance of the Laplacian over that of the frame, from 0; 0 for a flat frame.

    Dividing makes it independent of contrast and exposure.
    """
    variance = float(crop.var())
    return float(cv2.Laplacian(crop, cv2.CV_32F).var()) / variance if variance > 1 else 0.0
