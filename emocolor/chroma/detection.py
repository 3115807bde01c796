"""Colour detection: is footage gray, toned, or in colour already?

Black-and-white film is often stored in colour: with a cast, with noise in its chroma, or toned sepia or blue. In all
these cases chroma has one hue at most: Cb and Cr lie along a line in their plane. Natural colours spread over the
plane. So footage counts as coloured if its chroma spreads across its own principal direction.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color import code_range
from ..frames import Frame

COLORED_SPREAD = 0.0018
"""Standard deviation of chroma (in [-0.5, 0.5]) across its principal direction, from which footage is coloured.

Of 24 clips, the four gray and toned films have 0 to 0.0011, and the twenty in colour have 0.0027 (one face in an
office) or more."""
SAMPLE_WH = (32, 24)
"""Each frame's chroma is averaged down to this size, which removes noise."""


def is_colored(frames: Iterable[Frame]) -> bool:
    """Whether footage, of which ``frames`` are samples, is in colour; frames in gray formats count as gray."""
    return chroma_spread(frames) >= COLORED_SPREAD


def chroma_spread(frames: Iterable[Frame]) -> float:
    """Standard deviation of chroma across its principal direction: the root of the mean variance over frames.

    Each frame has its own principal direction, so a film with scenes toned differently does not count as coloured.
    """
    variances = [_variance_across(_small_chroma(frame)) for frame in frames]
    return float(np.sqrt(np.mean(variances))) if variances else 0.0


def _small_chroma(frame: Frame) -> NDArray[np.float64]:
    """Cb and Cr in [-0.5, 0.5], (n, 2)."""
    if frame.chroma is None:
        return np.zeros((1, 2))
    span = code_range(frame.color, frame.format.bits)[3]
    small = [
        cv2.resize(np.ascontiguousarray(plane).astype(np.float32), SAMPLE_WH, interpolation=cv2.INTER_AREA)
        for plane in frame.chroma
    ]
    return np.stack([plane.ravel() / span for plane in small], axis=1).astype(np.float64)


def _variance_across(chroma: NDArray[np.float64]) -> float:
    """Variance across the principal direction: the smaller eigenvalue of the covariance."""
    centered = chroma - chroma.mean(axis=0)
    return float(max(0.0, np.linalg.eigvalsh(centered.T @ centered / len(chroma))[0]))
