"""How the face shows each emotion: where its features move, relative to the portrait's smile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from emocolor.emotions import Emotion

from .features import (
    HEAD_TILT,
    LOWER_LIP_BOTTOM,
    LOWER_LIP_EDGE,
    MIDLINE_FEATURES,
    MOUTH_CENTER,
    MOUTH_X,
    PAIRED_FEATURES,
    SMILE_HALF_WIDTH,
    UPPER_LIP_EDGE,
    UPPER_LIP_TOP,
    LipEdges,
)

Retouch = Literal["none", "lips closed", "mouth open"]


@dataclass(frozen=True, kw_only=True)
class Mouth:
    """Where the lips move; lengths in portrait pixels, positive downwards."""

    half_width: float
    corner: float = 0.0
    """Height of the corners."""
    center: float = 0.0
    """Height of the middle."""
    gap: float = 1.1
    """Between the lips at the middle; closed lips keep a small one, for the line between them."""
    upper: float = 1.0
    """Thickness of the upper lip; 1 is that of the smile."""
    lower: float = 1.0
    drop: float = 0.5
    """Part of the gap that lies below the line from corner to corner."""

    def edges(self) -> LipEdges:
        """The points of ``smiling_lips`` on this mouth."""
        center_x, center_y = MOUTH_CENTER
        along = (np.array(MOUTH_X) - center_x) / SMILE_HALF_WIDTH
        x = center_x + along * self.half_width
        line = center_y + self.center + HEAD_TILT * (x - center_x) + (self.corner - self.center) * along**2
        opening = self.gap * np.sqrt(np.clip(1 - along**2, 0, 1))
        upper_edge, lower_edge = line - opening * (1 - self.drop), line + opening * self.drop
        top = upper_edge - self.upper * np.subtract(UPPER_LIP_EDGE, UPPER_LIP_TOP)
        bottom = lower_edge + self.lower * np.subtract(LOWER_LIP_BOTTOM, LOWER_LIP_EDGE)
        return np.stack([np.stack([x, y], axis=1) for y in (top, upper_edge, lower_edge, bottom)])


@dataclass(frozen=True, kw_only=True)
class Expression:
    """How the face differs from the portrait's smile."""

    shifts: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Feature to (outwards from the midline, down) in portrait pixels; for features on the midline (right, down)."""
    mouth: Mouth | None = None
    """``None`` leaves the mouth as it is."""
    retouch: Retouch = "none"

    def __post_init__(self) -> None:
        unknown = set(self.shifts) - set(PAIRED_FEATURES) - set(MIDLINE_FEATURES)
        if unknown:
            raise ValueError(f"no such features: {', '.join(sorted(unknown))}")


_RELAXED: Final = {
    "fold": (-1.5, 2.0),
    "cheek": (-0.5, 1.5),
    "lower lid": (0.0, 0.8),
    "chin front": (0.0, -0.8),
    "nostril": (-1.2, 0.0),
}
EXPRESSIONS: Final[dict[Emotion, Expression]] = {
    "happy": Expression(),
    "neutral": Expression(
        shifts=_RELAXED,
        mouth=Mouth(half_width=14.3, corner=2.4, center=0.4, lower=0.9),
        retouch="lips closed",
    ),
    "sad": Expression(
        shifts={
            **_RELAXED,
            "fold": (-1.2, 3.5),
            "cheek": (-0.5, 2.0),
            "inner brow": (-1.5, -4.8),
            "middle brow": (0.0, 0.2),
            "outer brow": (0.0, 3.0),
            "inner eye": (0.0, -0.7),
            "outer eye": (0.0, 1.2),
            "lid crease": (0.0, 0.5),
            "upper lid": (0.0, 1.5),
            "lower lid": (0.0, 0.2),
            "chin front": (0.0, -1.5),
        },
        mouth=Mouth(half_width=15.5, corner=5.2, center=-0.5, upper=0.9),
        retouch="lips closed",
    ),
    "surprise": Expression(
        shifts={
            "inner brow": (0.0, -5.0),
            "middle brow": (0.0, -4.5),
            "outer brow": (0.0, -4.0),
            "lid crease": (0.0, -2.2),
            "upper lid": (0.0, -1.8),
            "lower lid": (0.0, 1.0),
            "fold": (-2.0, 4.0),
            "cheek": (-1.0, 3.0),
            "jaw angle": (-1.5, 2.5),
            "jaw": (-0.5, 8.0),
            "chin front": (0.0, 10.5),
            "chin": (0.0, 10.0),
        },
        mouth=Mouth(half_width=10.5, corner=6.5, center=6.0, gap=17.0, upper=1.1, lower=0.9, drop=0.58),
        retouch="mouth open",
    ),
    "angry": Expression(
        shifts={
            **_RELAXED,
            "inner brow": (-5.5, 7.5),
            "middle brow": (-2.5, 5.5),
            "outer brow": (0.0, -0.8),
            "glabella": (0.0, 3.0),
            "lid crease": (0.0, 3.6),
            "upper lid": (0.0, 2.2),
            "lower lid": (0.0, -1.0),
            "inner eye": (0.0, 0.8),
        },
        mouth=Mouth(half_width=13.5, corner=6.5, center=-0.8, gap=1.0, upper=0.6, lower=0.6),
        retouch="lips closed",
    ),
}
"""The emotions that the portrait can show."""
