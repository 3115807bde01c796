"""The palette of a reference image, brought into learned colours.

Colours in a*, b* are moved by one linear map for the whole image, such that their mean and covariance move
toward those of the reference. Of all linear maps that do so it is the one that changes colours least, that of
Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer"
(CVMP 2007).

The footage's own palette is gathered over media time and forgotten slowly, so that the map glides and no frame
makes colours waver. It starts as the palette of photographs at large and goes on across cuts: whoever is seen
again after a cut keeps the same colours, and a close-up among landscapes is not itself turned into one. It knows
nothing of later frames.
"""

from dataclasses import dataclass
from math import exp, tanh
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..arrays import AbMap, GrayImage, RgbImage, Vector
from ..errors import ConfigurationError
from .conversion import ab_of, luma_of

SquareMatrix = NDArray[np.float64]

SHORT_SIDE: Final = 64
"""A image's palette is taken at about the size of a colorizer's maps, so that its grain does not count."""
GAINS: Final = (1 / 3, 2.0)
"""Differences between colours shrink to the first part of themselves at least, and grow to the second at most."""
FARTHEST_GRAY: Final = 12.0
"""Units of a*, b* by which gray moves at most. What is neutral in a scene should stay nearly so: without a limit
vivid references turn roads and walls violet, and green ones give people green faces."""
PRIOR_PART: Final = 0.2
"""How much of photographs at large is mixed into both palettes, so that flat colours and gray have a map too."""
FIRST_SECONDS: Final = 10.0
"""The first image counts as if it had been seen for so long."""
LONGEST_STEP: Final = 1.0
"""Seconds that any other image counts for at most, however long after the one before it comes."""

_LEVELS: Final = np.arange(256) / 255
_WEIGHTS: Final = 4 * _LEVELS * (1 - _LEVELS)
"""What each gray level counts, (256,): black bars, white captions and burnt-out skies have no colour to tell of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ColorStatistics:
    """A palette in five numbers: how colours are spread over a*, b* (CIELAB units)."""

    mean: Vector
    """(2,)."""
    covariance: SquareMatrix
    """(2, 2), symmetric, without eigenvalues below zero."""

    def __post_init__(self) -> None:
        mean, covariance = self.mean, self.covariance
        if mean.shape != (2,) or covariance.shape != (2, 2):
            raise ValueError(f"mean must be (2,) and covariance (2, 2); got {mean.shape} and {covariance.shape}.")
        if not np.isfinite(mean).all() or not np.isfinite(covariance).all():
            raise ValueError(f"mean and covariance must be finite; got {mean.tolist()} and {covariance.tolist()}.")
        rounding = 1e-6 * (1 + np.abs(covariance).max())
        if abs(covariance[0, 1] - covariance[1, 0]) > rounding or np.linalg.eigvalsh(covariance)[0] < -rounding:
            raise ValueError(f"no covariance, as not symmetric or not positive: {covariance.tolist()}.")


PHOTOGRAPHS: Final = ColorStatistics(mean=np.array([2.6, 9.6]), covariance=np.array([[97.0, 24.0], [24.0, 170.0]]))
"""What :func:`statistics_of` says of photographs of many kinds, the mean over 300 of them."""


def statistics_of(rgb: RgbImage) -> ColorStatistics:
    """The palette of an sRGB image (H, W, 3) uint8; mid-tones count most, black and white not at all.

    A image of nothing but black and white counts as gray. Raises ``ValueError`` for arrays of another kind.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"a image must be (H, W, 3) uint8; got {rgb.shape} {rgb.dtype}.")
    height, width = rgb.shape[:2]
    scale = min(1.0, SHORT_SIDE / min(height, width))
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    moments = _moments(luma_of(small), ab_of(small))
    if moments[0, 0] == 0:
        return ColorStatistics(mean=np.zeros(2), covariance=np.zeros((2, 2)))
    return _statistics(moments / moments[0, 0])


@dataclass(frozen=True, kw_only=True)
class ReferenceOptions:
    """Whose palette learned colours take on, and how far."""

    statistics: ColorStatistics
    """The reference's palette."""
    strength: float = 1.0
    """From the colours as they are (0) to the whole way (1)."""
    memory_seconds: float = 20.0
    """Seconds in which what was seen of the footage's palette fades to 1/e, 0.1 to 3600."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ConfigurationError(f"strength must lie between 0 and 1, got {self.strength:g}.")
        if not 0.1 <= self.memory_seconds <= 3600:
            raise ConfigurationError(f"memory_seconds must lie between 0.1 and 3600, got {self.memory_seconds:g}.")


class PaletteShift:
    """Moves the colours of one video, image by image, toward a reference's palette. Not for two threads at once.

    It lasts for the whole video: nothing is to be done at cuts.
    """

    def __init__(self, options: ReferenceOptions) -> None:
        self._options = options
        self._moments = _moments_of(PHOTOGRAPHS)
        """(3, 3), the footage's, for weights that add up to one; see :func:`_moments`."""
        self._time: float | None = None

    def apply(self, time: float, gray: GrayImage, ab: AbMap) -> AbMap:
        """The colours ``ab`` (h, w, 2) of the image at ``time`` in seconds, moved, in an array of their own.

        ``gray`` (H, W) is its luma in full range, of any size. Images come in order of time.
        """
        self._see(time, gray, ab)
        gain, shift = linear_map(_statistics(self._moments), self._options.statistics)
        strength = self._options.strength
        gain, shift = (1 - strength) * np.eye(2) + strength * gain, strength * shift
        return np.asarray(cv2.transform(ab, np.column_stack([gain, shift])), np.float32)

    def _see(self, time: float, gray: GrayImage, ab: AbMap) -> None:
        """Let the image count for the time since the one before, as far as it has mid-tones."""
        seconds = FIRST_SECONDS if self._time is None else min(max(time - self._time, 0.0), LONGEST_STEP)
        self._time = time
        height, width = ab.shape[:2]
        small = np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        seen = _moments(small, ab)
        weight = seen[0, 0]
        if weight > 0:
            share = 1 - exp(-seconds * weight / self._options.memory_seconds)
            self._moments += share * (seen / weight - self._moments)


def linear_map(source: ColorStatistics, target: ColorStatistics) -> tuple[SquareMatrix, Vector]:
    """Gain (2, 2), symmetric, and shift (2,): ``gain @ ab + shift`` brings colours with ``source`` toward ``target``.

    Both are mixed with ``PHOTOGRAPHS`` first, by ``PRIOR_PART``, and gain and shift limited to ``GAINS`` and
    ``FARTHEST_GRAY``, so the map is bounded whatever is given. Between two equal palettes it changes nothing.
    """
    source, target = _with_prior(source), _with_prior(target)
    root, inverse = _power(source.covariance, 0.5), _power(source.covariance, -0.5)
    exact = inverse @ _power(root @ target.covariance @ root, 0.5) @ inverse
    gains, axes = np.linalg.eigh(exact)
    gain = (axes * gains.clip(*GAINS)) @ axes.T
    return gain, _limited(target.mean - gain @ source.mean)


def _with_prior(statistics: ColorStatistics) -> ColorStatistics:
    return ColorStatistics(
        mean=(1 - PRIOR_PART) * statistics.mean + PRIOR_PART * PHOTOGRAPHS.mean,
        covariance=(1 - PRIOR_PART) * statistics.covariance + PRIOR_PART * PHOTOGRAPHS.covariance,
    )


def _power(matrix: SquareMatrix, exponent: float) -> SquareMatrix:
    """A power of a symmetric matrix (2, 2) whose eigenvalues are above zero."""
    values, axes = np.linalg.eigh(matrix)
    return np.asarray((axes * values**exponent) @ axes.T)


def _limited(shift: Vector) -> Vector:
    """The same direction and a length below ``FARTHEST_GRAY``; short ones hardly change."""
    length = max(float(np.hypot(*shift)), 1e-9)
    return shift * (FARTHEST_GRAY * tanh(length / FARTHEST_GRAY) / length)


def _moments(gray: GrayImage, ab: AbMap) -> SquareMatrix:
    """(3, 3): the mean over a image of w (1, a, b)ᵀ (1, a, b), from ``gray`` (h, w) and ``ab`` (h, w, 2).

    The weight w is 1 halfway between black and white and falls to 0 at both.
    """
    weights = _WEIGHTS[gray].reshape(-1, 1)
    colors = np.column_stack([np.ones(len(weights)), ab.reshape(-1, 2)])
    return np.asarray((colors * weights).T @ colors) / len(weights)


def _moments_of(statistics: ColorStatistics) -> SquareMatrix:
    """The moments of a palette, for weights that add up to one."""
    first = np.concatenate([[1.0], statistics.mean])
    moments = np.outer(first, first)
    moments[1:, 1:] += statistics.covariance
    return moments


def _statistics(moments: SquareMatrix) -> ColorStatistics:
    """The palette of moments, for weights that add up to one."""
    mean = moments[0, 1:]
    return ColorStatistics(mean=mean, covariance=moments[1:, 1:] - np.outer(mean, mean))
