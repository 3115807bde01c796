"""Is this footage gray, toned, or in colour already?

Black-and-white film is often stored in colour: with a cast, with noise in its chroma, or toned sepia or blue.
All these have chroma of one hue at most: Cb and Cr lie on a line through the (Cb, Cr) plane. Natural colours
spread over the plane. So footage counts as coloured where its chroma is wide across its own main direction.
"""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from ..color import code_range
from ..frames import Frame

COLOURED_SPREAD = 0.0018
"""Standard deviation of chroma (in [-0.5, 0.5]) across its main direction from which footage is coloured.

Of 24 clips the four gray and toned films have 0 to 0.0011, the twenty in colour 0.0027 (one face in an office)
and more."""
SAMPLE_WH = (32, 24)
"""Each frame's chroma is averaged down to this, which takes noise away."""


def is_coloured(frames: Iterable[Frame]) -> bool:
    """Whether footage, sampled by ``frames``, has colours of its own; gray formats have none."""
    return chroma_spread(frames) >= COLOURED_SPREAD


def chroma_spread(frames: Iterable[Frame]) -> float:
    """Standard deviation of chroma across its main direction, the root of the mean over frames of its square.

    Each frame is taken by itself, so that a film whose scenes are toned differently is not taken for coloured.
    """
    variances = [_across(_small_chroma(frame)) for frame in frames]
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


def _across(chroma: NDArray[np.float64]) -> float:
    """The smaller eigenvalue of the covariance: variance across the main direction."""
    centered = chroma - chroma.mean(axis=0)
    return float(max(0.0, np.linalg.eigvalsh(centered.T @ centered / len(chroma))[0]))
