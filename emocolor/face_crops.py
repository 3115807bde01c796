"""Aligned face crops for the nets: upright gray squares with the eyes at a fixed height.

A crop is level with the head, so that tilt does not matter. Its width follows the detector's box, which varies less
from frame to frame and between heads than any distance between keypoints. It is centred horizontally on the box,
because the eyes of a turned head lie far off the middle, and vertically by the eyes, whose height hardly changes as the
head turns.
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
    """Where a face lies in its crop; lengths are fractions of the crop's side."""

    box_width: float
    """Width of the detector's box."""
    eyes_down: float
    """Distance of the eyes from the top edge."""

    def __post_init__(self) -> None:
        if not (self.box_width > 0 and 0 <= self.eyes_down <= 1):
            raise ValueError(f"box_width must be positive and eyes_down must lie in [0, 1], got {self}")

    def scaled(self, times: float) -> "CropGeometry":
        """A crop ``times`` as wide around the middle of the face's box, which lies below the eyes."""
        return CropGeometry(box_width=self.box_width / times, eyes_down=0.5 - (0.5 - self.eyes_down) / times)


FER2013: Final = CropGeometry(box_width=0.84, eyes_down=0.40)
"""How FER2013 frames its faces: medians over 2,027 training images (``training.emotion.face_geometry``)."""


def crop_face(gray: GrayImage, detection: Detection, geometry: CropGeometry, size: int) -> GrayImage:
    """The face as a (size, size) uint8 crop of ``gray`` (H, W), without aliasing.

    Outside the frame, the pixels of its border are repeated.
    """
    along = head_axis(detection)
    down = np.array([-along[1], along[0]])
    side = detection.box.width / geometry.box_width
    middle, eyes = np.array(detection.box.center), detection.keypoints[:2].mean(axis=0)
    eye_level = middle + ((eyes - middle) @ down) * down
    corner = eye_level - side * (0.5 * along + geometry.eyes_down * down)
    # At least one sample per source pixel, then averaged: bilinear sampling alone would alias large faces.
    samples = size * max(1, math.ceil(side / size))
    step = side / samples
    origin = corner + (along + down) * step / 2 - 0.5
    matrix = np.column_stack([along * step, down * step, origin])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    fine = cv2.warpAffine(gray, matrix, (samples, samples), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def head_axis(detection: Detection) -> Vector:
    """Unit vector (2,) from the person's right to left, level with the head.

    It is the sum of the eye line and the normal of the line from eyes to mouth, because the eye line of a profile is
    too short to be reliable alone.
    """
    right, left, mouth = detection.keypoints[0], detection.keypoints[1], detection.keypoints[3]
    drop = mouth - (right + left) / 2
    axis = (left - right) + np.array([drop[1], -drop[0]])
    length = float(np.hypot(*axis))
    return np.asarray(axis / length if length > 1e-6 else np.array([1.0, 0.0]), np.float64)


FULL_CONFIDENCE_WIDTH_PX: Final = 64.0
"""Box width from which size no longer lowers the confidence."""
HALF_SHARPNESS: Final = 0.05
"""Sharpness at which the confidence is halved."""
DOUBTFUL_INFORMATION: Final = 0.2
"""Mutual information in nats that lowers the confidence to 1/e."""


def observation_confidence(detection: Detection, crop: GrayImage, mutual_information: float) -> float:
    """How far to trust an estimate made from ``crop``, (S, S) uint8; in [0.01, 1].

    The product of four factors, each at most 1: ``min(1, width / 64 px)``; the cosine of the yaw, at least 0.2;
    ``s / (s + 0.05)`` for the crop's :func:`sharpness` s; and ``exp(-mutual_information / 0.2 nats)``.
    """
    size = min(1.0, detection.box.width / FULL_CONFIDENCE_WIDTH_PX)
    frontal = max(0.2, math.cos(math.radians(detection.yaw_degrees)))
    sharp = sharpness(crop)
    agreement = math.exp(-max(0.0, mutual_information) / DOUBTFUL_INFORMATION)
    return max(0.01, size * frontal * sharp / (sharp + HALF_SHARPNESS) * agreement)


def sharpness(crop: GrayImage) -> float:
    """Variance of the Laplacian divided by the crop's own variance; 0 for a flat crop.

    The division makes it independent of contrast and exposure.
    """
    variance = float(crop.var())
    return float(cv2.Laplacian(crop, cv2.CV_32F).var()) / variance if variance > 1 else 0.0
