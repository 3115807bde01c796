"""Metrics of a colorization: sRGB images (H, W, 3) uint8 against the true ones.

========================  ==========================================================================
``psnr``                  dB at 8 bits over all values of an image, then the mean over images
``ssim``                  of each channel (Wang et al. 2004), then the mean over channels and images
``ab_error``              mean Euclidean distance in CIELAB's a*, b* over all pixels
``r2``                    coefficient of determination over all R, G and B values of all images together
``colorfulness``          Hasler and Suesstrunk 2003, the mean over images; ``colorfulness_truth`` likewise
``auc``                   area under the cumulative distribution of the ab error over 0 to 150, in percent
``auc_rebalanced``        the same, pixels weighted against the frequency of their true colour
``recall_red`` and so on  share of the pixels of a true hue whose predicted hue is the same, in percent
========================  ==========================================================================

The areas are those of Zhang et al. 2016 (section 3.1), which S2 copies. The area under a distribution up to t is ``t``
less the mean of ``min(error, t)``, so no threshold has to be swept. For the rebalanced one a pixel has the weight of
the inverse of its ab bin's probability (equation 4 with lambda = 0), with bins of grid 10 and probabilities smoothed
by a Gaussian of sigma 5, as there. The probabilities are those of the measured images. Gray then gets 58.8 on 5,420
photos (the papers: 58.0 on 10,000) but 62 on 300, where fewer of the rare colours occur: compare this metric within
one set only.

Recall is over pixels whose true chroma is at least ``COLOURED``. It counts those that are predicted with at least this
chroma and a hue of the same sector of ``HUES``. A hue that does not occur has none. Needs no torch.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import AbMap, RgbImage
from emocolor.chroma.conversion import ab_of
from engines.nets.ab_bins import AbBins

MAX_ERROR: Final = 150.0
"""Upper end of the thresholds of the areas, in units of CIELAB."""
GRID: Final = 10
PRIOR_SIGMA: Final = 5.0
COLOURED: Final = 10.0
"""Least chroma, in units of CIELAB, of a pixel that has a hue."""
HUES: Final = {"red": 345, "orange": 45, "yellow": 80, "green": 110, "cyan": 170, "blue": 220, "violet": 295}
"""Where each sector of hue begins, in degrees of CIELAB; it ends where the next one begins. Red includes pink, orange
brown and skin."""
MAX_PSNR: Final = 100.0
"""Of identical images, whose PSNR is infinite."""


def psnr(predicted: RgbImage, truth: RgbImage) -> float:
    """Peak signal-to-noise ratio in dB, over all values, with a peak of 255; at most ``MAX_PSNR``."""
    error = float(np.square(predicted.astype(np.float64) - truth).mean())
    return min(MAX_PSNR, 10 * float(np.log10(255**2 / error))) if error else MAX_PSNR


def ssim(predicted: RgbImage, truth: RgbImage) -> float:
    """Structural similarity (Wang et al. 2004) in [-1, 1], the mean over channels.

    Gaussian window of 11 px and sigma 1.5, K1 = 0.01, K2 = 0.03, range 255; only windows inside the image count, so
    sides must be at least 11.
    """
    x, y = predicted.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _window(x), _window(y)
    variance_x, variance_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((similarity / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2))).mean())


def colorfulness(rgb: RgbImage) -> float:
    """Hasler and Suesstrunk 2003, their simple measure: 0 for gray, 33 moderately, 82 highly colourful."""
    red, green, blue = cv2.split(rgb.astype(np.float64))
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread, middle = (np.hypot(f(red_green), f(yellow_blue)) for f in (np.std, np.mean))
    return float(spread + 0.3 * middle)


class ColorizationMetrics:
    """Accumulates the metrics one image at a time, so that a set of any size needs the memory of one."""

    def __init__(self) -> None:
        self._bins = AbBins(GRID)
        self._per_image: list[tuple[float, float, float, float]] = []
        self._pixels_of_bin = np.zeros(len(self._bins), np.int64)
        self._error_of_bin = np.zeros(len(self._bins))
        self._clipped_of_bin = np.zeros(len(self._bins))
        self._pixels_of_hue, self._found_of_hue = np.zeros(len(HUES), np.int64), np.zeros(len(HUES), np.int64)
        self._squared_error, self._sum, self._squares, self._values = 0, 0, 0, 0

    def __len__(self) -> int:
        return len(self._per_image)

    def update(self, predicted: RgbImage, truth: RgbImage) -> None:
        """Count an image (H, W, 3) uint8, at least 11 px wide and high, and the true one."""
        if predicted.shape != truth.shape or predicted.dtype != np.uint8:
            raise ValueError(
                f"predicted must be {truth.shape} uint8 as the truth, got {predicted.shape} {predicted.dtype}."
            )
        self._per_image.append(
            (psnr(predicted, truth), ssim(predicted, truth), colorfulness(predicted), colorfulness(truth))
        )
        self._add_ab(ab_of(predicted), ab_of(truth))
        predicted, truth = predicted.astype(np.int64), truth.astype(np.int64)
        self._squared_error += int(np.square(predicted - truth).sum())
        self._sum += int(truth.sum())
        self._squares += int(np.square(truth).sum())
        self._values += truth.size

    def _add_ab(self, predicted: AbMap, truth: AbMap) -> None:
        errors = np.linalg.norm(predicted - truth, axis=-1).ravel()
        bins, count = self._bins.nearest(truth.reshape(-1, 2)), len(self._pixels_of_bin)
        self._pixels_of_bin += np.bincount(bins, minlength=count)
        self._error_of_bin += np.bincount(bins, errors, minlength=count)
        self._clipped_of_bin += np.bincount(bins, np.minimum(errors, MAX_ERROR), minlength=count)
        true_hue, found_hue = _hue_of(truth), _hue_of(predicted)
        self._pixels_of_hue += np.bincount(true_hue[true_hue >= 0], minlength=len(HUES))
        self._found_of_hue += np.bincount(true_hue[(true_hue >= 0) & (true_hue == found_hue)], minlength=len(HUES))

    def compute(self) -> dict[str, float]:
        """The table above, by its names, rounded to four decimals; raises ``ValueError`` before any image."""
        if not self._per_image:
            raise ValueError("No image has been added.")
        found = dict(
            zip(("psnr", "ssim", "colorfulness", "colorfulness_truth"), np.mean(self._per_image, 0), strict=True)
        )
        found["ab_error"] = self._error_of_bin.sum() / self._pixels_of_bin.sum()
        found["r2"] = self._r2()
        found["auc"] = self._area(np.ones(len(self._pixels_of_bin)))
        found["auc_rebalanced"] = self._area(1 / self._smoothed_bin_probabilities())
        for hue, pixels, right in zip(HUES, self._pixels_of_hue, self._found_of_hue, strict=True):
            if pixels:
                found[f"recall_{hue}"] = 100 * right / pixels
        return {name: round(float(value), 4) for name, value in found.items()}

    def _r2(self) -> float:
        """As scikit-learn's ``r2_score`` of all values as one vector; 0 where the truth is one flat gray."""
        variation = self._squares - self._sum**2 / self._values
        return 1 - self._squared_error / variation if variation else 0.0

    def _area(self, weights: NDArray[np.float64]) -> float:
        """In percent, with a weight for the pixels of each bin (Q,)."""
        mean = (weights * self._clipped_of_bin).sum() / (weights * self._pixels_of_bin).sum()
        return float(100 * (1 - mean / MAX_ERROR))

    def _smoothed_bin_probabilities(self) -> NDArray[np.float64]:
        """(Q,), positive: the pixels of every bin are spread over its neighbours in the gamut."""
        shares = self._bins.spread(self._pixels_of_bin / self._pixels_of_bin.sum(), PRIOR_SIGMA)
        return np.maximum(shares, np.finfo(float).tiny)


def _hue_of(ab: AbMap) -> NDArray[np.int64]:
    """Index among ``HUES`` of each pixel of ab (H, W, 2), (H * W,); -1 where it is nearly gray."""
    a, b = ab.reshape(-1, 2).T
    turned = (np.degrees(np.arctan2(b, a)) - HUES["red"]) % 360
    begins = [(begin - HUES["red"]) % 360 for begin in HUES.values()]
    sectors = np.searchsorted(begins, turned, side="right") - 1
    return np.asarray(np.where(np.hypot(a, b) >= COLOURED, sectors, -1), np.int64)


def _window(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian means (H - 10, W - 10, 3) of 11 px windows of (H, W, 3)."""
    return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5))[5:-5, 5:-5]
