"""Colour transfer: learned colours move toward the palette of a reference image.

One linear map moves the a*, b* of the whole image, so that their mean and covariance approach those of the reference.
Among all linear maps that do so, it is the one that changes colours least: that of Pitié and Kokaram, "The linear
Monge-Kantorovitch linear colour mapping for example-based colour transfer" (CVMP 2007).

The palette of the footage is accumulated over media time and forgotten slowly, so that the map drifts and no single
frame makes colours waver. It starts as the palette of average photographs and continues across cuts: whoever reappears
after a cut keeps the same colours, and a close-up between landscapes does not take on their palette. Later frames have
no influence.
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
"""An image's palette is measured at about the size of a colorizer's maps, so that grain does not count."""
GAINS: Final = (1 / 3, 2.0)
"""Limits of the factor by which differences between colours shrink or grow."""
MAX_GRAY_SHIFT: Final = 12.0
"""Limit, in units of a*, b*, of how far gray moves. Neutral things should stay nearly neutral: without a limit, vivid
references turn roads and walls violet, and green ones give people green faces."""
PRIOR_WEIGHT: Final = 0.2
"""Share of ``PHOTOGRAPHS`` mixed into both palettes, so that the map exists for flat colours and gray too."""
FIRST_IMAGE_SECONDS: Final = 10.0
"""The first image counts as if it had been shown for so long."""
MAX_STEP_SECONDS: Final = 1.0
"""Any other image counts for at most so long, however late it follows the one before."""

_LEVELS: Final = np.arange(256) / 255
_LEVEL_WEIGHTS: Final = 4 * _LEVELS * (1 - _LEVELS)
"""Weight of each gray level, (256,): black bars, white captions and blown-out skies carry no colour."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ColorStatistics:
    """A palette in five numbers: the distribution of colours over a*, b* (CIELAB units).

    Raises ``ValueError`` for arrays of other shapes and for what is no covariance.
    """

    mean: Vector
    """(2,)."""
    covariance: SquareMatrix
    """(2, 2), symmetric and positive semidefinite."""

    def __post_init__(self) -> None:
        mean, covariance = self.mean, self.covariance
        if mean.shape != (2,) or covariance.shape != (2, 2):
            raise ValueError(f"mean must be (2,) and covariance (2, 2); got {mean.shape} and {covariance.shape}.")
        if not np.isfinite(mean).all() or not np.isfinite(covariance).all():
            raise ValueError(f"mean and covariance must be finite; got {mean.tolist()} and {covariance.tolist()}.")
        rounding = 1e-6 * (1 + np.abs(covariance).max())
        if abs(covariance[0, 1] - covariance[1, 0]) > rounding or np.linalg.eigvalsh(covariance)[0] < -rounding:
            raise ValueError(f"covariance must be symmetric and positive semidefinite; got {covariance.tolist()}.")


PHOTOGRAPHS: Final = ColorStatistics(mean=np.array([2.6, 9.6]), covariance=np.array([[97.0, 24.0], [24.0, 170.0]]))
"""The mean of :func:`statistics_of` over 300 photographs of many kinds."""


def statistics_of(rgb: RgbImage) -> ColorStatistics:
    """The palette of an sRGB image (H, W, 3) uint8; mid-tones count most, black and white not at all.

    An image of only black and white counts as gray. Raises ``ValueError`` for arrays of another shape or dtype.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"an image must be (H, W, 3) uint8; got {rgb.shape} {rgb.dtype}.")
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
    """Whose palette learned colours take on, and how far. Raises ``ConfigurationError`` for values out of range."""

    statistics: ColorStatistics
    """The reference's palette."""
    strength: float = 1.0
    """From no change (0) to the full one (1)."""
    memory_seconds: float = 20.0
    """Time constant with which the footage's palette is forgotten, in seconds, 0.1 to 3600."""

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ConfigurationError(f"strength must lie between 0 and 1, got {self.strength:g}.")
        if not 0.1 <= self.memory_seconds <= 3600:
            raise ConfigurationError(f"memory_seconds must lie between 0.1 and 3600, got {self.memory_seconds:g}.")


class PaletteShift:
    """Moves the colours of one video, frame by frame, toward a reference's palette. Not thread-safe.

    One instance serves a whole video, across cuts.
    """

    def __init__(self, options: ReferenceOptions) -> None:
        self._options = options
        self._moments = _moments_of(PHOTOGRAPHS)
        """(3, 3), of the footage so far, with weights that sum to one; see :func:`_moments`."""
        self._time: float | None = None

    def apply(self, time: float, gray: GrayImage, ab: AbMap) -> AbMap:
        """Move the colours ``ab`` (h, w, 2) of the frame at ``time`` in seconds; the result is a new array.

        ``gray`` (H, W) is the frame's luma in full range, of any size. Call it with frames in order of time.
        """
        self._observe(time, gray, ab)
        gain, shift = linear_map(_statistics(self._moments), self._options.statistics)
        strength = self._options.strength
        gain, shift = (1 - strength) * np.eye(2) + strength * gain, strength * shift
        return np.asarray(cv2.transform(ab, np.column_stack([gain, shift])), np.float32)

    def _observe(self, time: float, gray: GrayImage, ab: AbMap) -> None:
        """Update the footage's palette; the frame counts for the time since the one before, and by its mid-tones."""
        seconds = FIRST_IMAGE_SECONDS if self._time is None else min(max(time - self._time, 0.0), MAX_STEP_SECONDS)
        self._time = time
        height, width = ab.shape[:2]
        small = np.asarray(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        seen = _moments(small, ab)
        weight = seen[0, 0]
        if weight > 0:
            share = 1 - exp(-seconds * weight / self._options.memory_seconds)
            self._moments += share * (seen / weight - self._moments)


def linear_map(source: ColorStatistics, target: ColorStatistics) -> tuple[SquareMatrix, Vector]:
    """Gain (2, 2), symmetric, and shift (2,): ``gain @ ab + shift`` moves colours from ``source`` toward ``target``.

    Both palettes are first mixed with ``PHOTOGRAPHS``, by ``PRIOR_WEIGHT``; then gain and shift are limited to
    ``GAINS`` and ``MAX_GRAY_SHIFT``. So the map is bounded for any input, and between equal palettes it is the
    identity.
    """
    source, target = _with_prior(source), _with_prior(target)
    root, inverse = _power(source.covariance, 0.5), _power(source.covariance, -0.5)
    exact = inverse @ _power(root @ target.covariance @ root, 0.5) @ inverse
    gains, axes = np.linalg.eigh(exact)
    gain = (axes * gains.clip(*GAINS)) @ axes.T
    return gain, _limited(target.mean - gain @ source.mean)


def _with_prior(statistics: ColorStatistics) -> ColorStatistics:
    return ColorStatistics(
        mean=(1 - PRIOR_WEIGHT) * statistics.mean + PRIOR_WEIGHT * PHOTOGRAPHS.mean,
        covariance=(1 - PRIOR_WEIGHT) * statistics.covariance + PRIOR_WEIGHT * PHOTOGRAPHS.covariance,
    )


def _power(matrix: SquareMatrix, exponent: float) -> SquareMatrix:
    """A power of a symmetric, positive definite matrix (2, 2)."""
    values, axes = np.linalg.eigh(matrix)
    return np.asarray((axes * values**exponent) @ axes.T)


def _limited(shift: Vector) -> Vector:
    """``shift`` shortened smoothly to less than ``MAX_GRAY_SHIFT``; short ones hardly change."""
    length = max(float(np.hypot(*shift)), 1e-9)
    return shift * (MAX_GRAY_SHIFT * tanh(length / MAX_GRAY_SHIFT) / length)


def _moments(gray: GrayImage, ab: AbMap) -> SquareMatrix:
    """Weighted moments (3, 3): the mean over an image of w (1, a, b)ᵀ (1, a, b), from ``gray`` (h, w) and ``ab`` (h, w,
    2).

    The weight w is 1 halfway between black and white and falls to 0 at both.
    """
    weights = _LEVEL_WEIGHTS[gray].reshape(-1, 1)
    colors = np.column_stack([np.ones(len(weights)), ab.reshape(-1, 2)])
    return np.asarray((colors * weights).T @ colors) / len(weights)


def _moments_of(statistics: ColorStatistics) -> SquareMatrix:
    """The moments of a palette, with weights that sum to one."""
    first = np.concatenate([[1.0], statistics.mean])
    moments = np.outer(first, first)
    moments[1:, 1:] += statistics.covariance
    return moments


def _statistics(moments: SquareMatrix) -> ColorStatistics:
    """The palette of moments whose weights sum to one."""
    mean = moments[0, 1:]
    return ColorStatistics(mean=mean, covariance=moments[1:, 1:] - np.outer(mean, mean))
