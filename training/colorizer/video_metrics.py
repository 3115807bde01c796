"""Metrics of the temporal consistency of a video's colours, of sRGB frames (H, W, 3) uint8, and of their quality.

================  ==================================================================================
``warp_error``    mean absolute difference of CIELAB's a* and b* between a frame and the one before,
                  warped to it along the optical flow of the true frames; over both channels and all
                  points whose flow is consistent, then the mean over pairs of frames. The warping
                  error of Lai et al. 2018 (Learning blind video temporal consistency), of colour alone
                  and not squared. Gray has some hundredths, by the rounding of OpenCV's conversion.
``cdc``           colour distribution consistency of Liu et al. 2021 (Temporally consistent video
                  colorization with deep feature propagation and self-regularization learning): the
                  Jensen-Shannon divergence, in nats, between the histograms of two frames, 256 bins
                  for each of R, G and B; the mean over channels and over pairs that are 1, 2 and 4
                  frames apart, then over these three. Changes of light count too, so gray is not 0.
``psnr``          dB against the true frame, then the mean over frames (``training.colorizer.metrics``)
``colorfulness``  Hasler and Suesstrunk 2003, the mean over frames (``training.colorizer.metrics``)
================  ==================================================================================

No pair spans a cut, and pairs of frames with next to no consistent flow do not count in ``warp_error``
(``training.data.motion``). Gray is perfectly consistent, so no metric should be read without the colourfulness. Needs
no torch.
"""

from collections import deque
from statistics import fmean
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.arrays import AbMap, RgbImage
from emocolor.chroma.conversion import ab_of

from ..data.motion import MIN_CONSISTENT_SHARE, BackwardFlow, warp_error
from .metrics import colorfulness, psnr

Histograms = NDArray[np.float64]
"""Shares of the pixels at each level of R, G and B: (3, 256), each row with sum 1."""

STRIDES: Final = (1, 2, 4)
"""Distances in frames between those whose colours ``cdc`` compares."""


def histograms(rgb: RgbImage) -> Histograms:
    """Shares of the levels of each channel of (H, W, 3) uint8."""
    counts = [np.bincount(channel.ravel(), minlength=256) for channel in cv2.split(rgb)]
    return np.stack(counts) / (rgb.shape[0] * rgb.shape[1])


def js_divergence(one: Histograms, other: Histograms) -> float:
    """Jensen-Shannon divergence in nats, 0 to ln 2, the mean over channels; empty bins add nothing."""
    middle = (one + other) / 2
    return float((_relative_entropy(one, middle) + _relative_entropy(other, middle)) / 2)


class VideoMetrics:
    """Accumulates the metrics of one video frame by frame, in the memory of one frame."""

    def __init__(self) -> None:
        self._ab: AbMap | None = None
        self._histograms: deque[Histograms] = deque(maxlen=max(STRIDES))
        """Of the frames before in this shot; the latest comes last."""
        self._warp_errors: list[float] = []
        self._divergences: dict[int, list[float]] = {stride: [] for stride in STRIDES}
        self._psnr: list[float] = []
        self._colorfulness: list[float] = []

    def update(self, rgb: RgbImage, truth: RgbImage, flow: BackwardFlow | None) -> None:
        """Count the next frame and the true one; ``flow`` is None at the start of a shot."""
        ab = ab_of(rgb)
        if flow is None:
            self._histograms.clear()
        elif flow.consistent_share >= MIN_CONSISTENT_SHARE:
            assert self._ab is not None, "the first frame has no flow"
            self._warp_errors.append(warp_error(self._ab, ab, flow))
        self._ab = ab
        self._add_histograms(histograms(rgb))
        self._psnr.append(psnr(rgb, truth))
        self._colorfulness.append(colorfulness(rgb))

    def compute(self) -> dict[str, float]:
        """The table above, by its names, rounded to six decimals.

        Raises ``ValueError`` where no pair of frames has consistent flow, or no shot has frames four apart.
        """
        if not self._warp_errors or not all(self._divergences.values()):
            raise ValueError("Too few frames of one shot have been added, or none with consistent flow.")
        found = {
            "warp_error": fmean(self._warp_errors),
            "cdc": fmean(map(fmean, self._divergences.values())),
            "psnr": fmean(self._psnr),
            "colorfulness": fmean(self._colorfulness),
        }
        return {name: round(value, 6) for name, value in found.items()}

    def _add_histograms(self, found: Histograms) -> None:
        for stride in STRIDES:
            if len(self._histograms) >= stride:
                self._divergences[stride].append(js_divergence(self._histograms[-stride], found))
        self._histograms.append(found)


def _relative_entropy(shares: Histograms, reference: Histograms) -> float:
    """Kullback-Leibler divergence in nats, the mean over channels; ``reference`` covers ``shares``."""
    some = shares > 0
    return float((shares[some] * np.log(shares[some] / reference[some])).sum() / len(shares))
