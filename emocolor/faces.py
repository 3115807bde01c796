"""The values that describe faces: detections, observations of analysed frames, and the scene at any time.

Boxes and keypoints are in luma pixels of the decoded planes, x to the right and y down, with (0, 0) at the outer corner
of the first pixel.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from .arrays import Mask, Points, Vector
from .emotions import EMOTIONS, NEUTRAL, Emotion

KEYPOINTS: Final = ("right eye", "left eye", "nose tip", "mouth", "right ear", "left ear")
"""Order of a face's keypoints; right and left are the person's own. It is that of MediaPipe's BlazeFace."""


@dataclass(frozen=True)
class Box:
    """An axis-aligned rectangle in luma pixels."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.height > 0):
            raise ValueError(f"a box needs a positive size, got {self.width} x {self.height}")

    @property
    def center(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def area(self) -> float:
        return self.width * self.height

    def overlap(self, other: "Box") -> float:
        """Intersection over union, in [0, 1]."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if across <= 0 or down <= 0:
            return 0.0
        shared = across * down
        return shared / (self.area + other.area - shared)

    def mix(self, other: "Box", part: float) -> "Box":
        """Interpolate linearly: this box at ``part`` 0, ``other`` at 1."""
        pairs = zip(
            (self.x, self.y, self.width, self.height),
            (other.x, other.y, other.width, other.height),
            strict=True,
        )
        return Box(*((1 - part) * a + part * b for a, b in pairs))


@dataclass(frozen=True, kw_only=True)
class Detection:
    """A face in one frame."""

    box: Box
    keypoints: Points
    """(6, 2) float64, in the order of ``KEYPOINTS``."""
    score: float
    """The detector's confidence, in [0, 1]."""

    @property
    def roll_degrees(self) -> float:
        """Rotation of the eye line in the frame, clockwise positive, in (-180, 180]."""
        right, left = self.keypoints[0], self.keypoints[1]
        return math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))

    @property
    def yaw_degrees(self) -> float:
        """How far the head turns to its left (+) or right (-); 0 is frontal, about 90 a profile.

        Estimated from the position of the nose tip between the ears, along the eye line. This assumes that a head is
        about as deep as its ears are apart: coarse, but enough to recognise a profile.
        """
        right_ear, left_ear, nose = self.keypoints[4], self.keypoints[5], self.keypoints[2]
        eyes = self.keypoints[1] - self.keypoints[0]
        along = eyes / max(float(np.hypot(*eyes)), 1e-6)
        to_right, to_left = float((nose - right_ear) @ along), float((left_ear - nose) @ along)
        span = abs(to_right) + abs(to_left)
        return math.degrees(math.asin(float(np.clip((to_right - to_left) / max(span, 1e-6), -1, 1))))


@dataclass(frozen=True, kw_only=True)
class EmotionEstimate:
    """The classifier's output for one face, from T Monte Carlo dropout passes."""

    probabilities: Vector
    """Mean class probabilities (7,), in the order of ``EMOTIONS``."""
    entropy: float
    """Predictive entropy, that of the mean, in nats, 0 to ln 7: the whole uncertainty."""
    mutual_information: float
    """Entropy of the mean minus the mean entropy, in nats: the model's (epistemic) part of the uncertainty."""


@dataclass(frozen=True, kw_only=True)
class ObservedFace:
    """A tracked face in one analysed frame."""

    track_id: int
    detection: Detection
    estimate: EmotionEstimate
    confidence: float
    """How far to trust the estimate, in (0, 1]."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """All faces found in one analysed frame."""

    time: float
    """Media time in seconds."""
    cut: bool
    """A new shot starts here: nothing observed before it counts for what follows."""
    faces: tuple[ObservedFace, ...]


@dataclass(frozen=True, kw_only=True)
class Face:
    """A face at the time of one frame, with its box interpolated and its emotion smoothed."""

    track_id: int
    box: Box
    roll_degrees: float
    probabilities: Vector
    """Smoothed probabilities (7,), summing to one."""
    certainty: float
    """How much recent and confident evidence supports them, in [0, 1]."""
    presence: float
    """1 while the face is in the frame; rises from 0 as it appears and falls to 0 after it leaves; in (0, 1]."""

    @property
    def emotion(self) -> Emotion:
        return EMOTIONS[int(self.probabilities.argmax())]


def neutral_probabilities() -> Vector:
    """Probabilities (7,) with all weight on neutral."""
    return np.asarray(np.eye(len(EMOTIONS))[NEUTRAL])


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What effects know about a frame."""

    time: float
    faces: tuple[Face, ...] = ()
    """Largest first."""
    probabilities: Vector = field(default_factory=neutral_probabilities)
    """The smoothed emotion of the whole frame (7,), from all its faces or its largest."""
    certainty: float = 0.0
    cut: bool = False
    """A new shot starts with this frame."""
    person: Mask | None = None
    """Where people are: (h, w) in [0, 1], 1 on a person, over the whole frame as it is stored (before rotation).
    ``None`` if nothing was segmented."""

    @property
    def emotion(self) -> Emotion:
        return EMOTIONS[int(self.probabilities.argmax())]
