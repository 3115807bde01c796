"""Figures that tell how good a colorization is, of sRGB pictures (H, W, 3) uint8 beside the true ones.

========================  ==========================================================================
``psnr``                  dB at 8 bits over all values of a picture, then the mean over pictures
``ssim``                  of each channel (Wang et al. 2004), then the mean over channels and pictures
``ab_error``              mean Euclidean distance in CIELAB's a*, b* over all pixels
``r2``                    coefficient of determination over all R, G and B values of all pictures together
``colorfulness``          Hasler and Suesstrunk 2003, the mean over pictures; ``colorfulness_truth`` likewise
``auc``                   area under the cumulative distribution of the ab error over 0 to 150, in percent
``auc_rebalanced``        the same, pixels weighted against the frequency of their true colour
========================  ==========================================================================

The areas are those of Zhang et al. 2016 (section 3.1), which S2 copies. The area under a distribution up
to t is ``t`` less the mean of ``min(error, t)``, so no threshold has to be swept. For the rebalanced one
a pixel weighs the inverse of its ab bin's probability (equation 4 with lambda = 0), bins of grid 10 and
probabilities smoothed by a Gaussian of sigma 5, as there. The probabilities are those of the measured
pictures. Gray then gets 58.8 on 5,420 photos (the papers: 58.0 on 10,000) but 62 on 300, where fewer of
the rare colours occur: compare this figure within one set only. Needs no torch.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.chroma.conversion import Ab, Rgb8, ab_of
from engines.nets.ab_bins import AbBins

LARGEST_ERROR: Final = 150.0
"""Upper end of the thresholds of the areas, in units of CIELAB."""
GRID: Final = 10
PRIOR_SIGMA: Final = 5.0
BEST_PSNR: Final = 100.0
"""What equal pictures get, whose PSNR is infinite."""


def psnr(predicted: Rgb8, truth: Rgb8) -> float:
    """Peak signal-to-noise ratio in dB, over all values, with a peak of 255; at most ``BEST_PSNR``."""
    error = float(np.square(predicted.astype(np.float64) - truth).mean())
    return min(BEST_PSNR, 10 * float(np.log10(255**2 / error))) if error else BEST_PSNR


def ssim(predicted: Rgb8, truth: Rgb8) -> float:
    """Structural similarity (Wang et al. 2004) in [-1, 1], the mean over channels.

    Gaussian window of 11 px and sigma 1.5, K1 = 0.01, K2 = 0.03, range 255; only windows that lie inside
    the picture count, so sides must be at least 11.
    """
    x, y = predicted.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _window(x), _window(y)
    variance_x, variance_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((likeness / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))).mean())


def colorfulness(rgb: Rgb8) -> float:
    """Hasler and Suesstrunk 2003, their simple measure: 0 for gray, 33 moderately, 82 highly colourful."""
    red, green, blue = cv2.split(rgb.astype(np.float64))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread, middle = (np.hypot(f(red_green), f(yellow_blue)) for f in (np.std, np.mean))
    return float(spread + 0.3 * middle)


class ColorizerScores:
    """Gathers the figures one picture at a time, so that a set of any size needs the memory of one."""

    def __init__(self) -> None:
        self._bins = AbBins(GRID)
        self._of_pictures: list[tuple[float, float, float, float]] = []
        self._pixels_of_bin = np.zeros(len(self._bins), np.int64)
        self._error_of_bin = np.zeros(len(self._bins))
        self._clipped_of_bin = np.zeros(len(self._bins))
        self._squared_error, self._sum, self._squares, self._values = 0, 0, 0, 0

    def __len__(self) -> int:
        return len(self._of_pictures)

    def add(self, predicted: Rgb8, truth: Rgb8) -> None:
        """Count a picture (H, W, 3) uint8 of any size from 11 px beside the true one."""
        if predicted.shape != truth.shape or predicted.dtype != np.uint8:
            raise ValueError(
                f"predicted must be {truth.shape} uint8 as the truth, got {predicted.shape} {predicted.dtype}."
            )
        self._of_pictures.append(
            (psnr(predicted, truth), ssim(predicted, truth), colorfulness(predicted), colorfulness(truth))
        )
        self._add_ab(ab_of(predicted), ab_of(truth))
        predicted, truth = predicted.astype(np.int64), truth.astype(np.int64)
        self._squared_error += int(np.square(predicted - truth).sum())
        self._sum += int(truth.sum())
        self._squares += int(np.square(truth).sum())
        self._values += truth.size

    def _add_ab(self, predicted: Ab, truth: Ab) -> None:
        errors = np.linalg.norm(predicted - truth, axis=-1).ravel()
        bins, count = self._bins.nearest(truth.reshape(-1, 2)), len(self._pixels_of_bin)
        self._pixels_of_bin += np.bincount(bins, minlength=count)
        self._error_of_bin += np.bincount(bins, errors, minlength=count)
        self._clipped_of_bin += np.bincount(bins, np.minimum(errors, LARGEST_ERROR), minlength=count)

    def figures(self) -> dict[str, float]:
        """The table above, by its names, rounded to four decimals; raises ``ValueError`` before any picture."""
        if not self._of_pictures:
            raise ValueError("No picture has been added.")
        found = dict(
            zip(("psnr", "ssim", "colorfulness", "colorfulness_truth"), np.mean(self._of_pictures, 0), strict=True)
        )
        found["ab_error"] = self._error_of_bin.sum() / self._pixels_of_bin.sum()
        found["r2"] = self._r2()
        found["auc"] = self._area(np.ones(len(self._pixels_of_bin)))
        found["auc_rebalanced"] = self._area(1 / self._smoothed_share_of_bin())
        return {name: round(float(value), 4) for name, value in found.items()}

    def _r2(self) -> float:
        """As scikit-learn's ``r2_score`` of all values in one line; 0 where the truth is one flat gray."""
        variation = self._squares - self._sum**2 / self._values
        return 1 - self._squared_error / variation if variation else 0.0

    def _area(self, weights: NDArray[np.float64]) -> float:
        """In percent, with a weight for the pixels of each bin (Q,)."""
        mean = (weights * self._clipped_of_bin).sum() / (weights * self._pixels_of_bin).sum()
        return float(100 * (1 - mean / LARGEST_ERROR))

    def _smoothed_share_of_bin(self) -> NDArray[np.float64]:
        """Probability of each bin (Q,), positive: every bin's pixels spread over its neighbours in the gamut."""
        shares = self._bins.spread(self._pixels_of_bin / self._pixels_of_bin.sum(), PRIOR_SIGMA)
        return np.maximum(shares, np.finfo(float).tiny)


def _window(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian means (H - 10, W - 10, 3) of 11 px windows of (H, W, 3)."""
    return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))[5:-5, 5:-5]
