"""Figures that tell how steady the colours of a video are, of sRGB frames (H, W, 3) uint8, beside how good they are.

================  ==================================================================================
``warp_error``    mean absolute difference of CIELAB's a* and b* between a frame and the one before,
                  carried to it along the motion of the true picture; over both channels and all
                  points whose motion can be believed, then the mean over pairs of frames. The warping
                  error of Lai et al. 2018 (Learning blind video temporal consistency), of colour alone
                  and not squared. Gray has some hundredths, by the rounding of OpenCV's conversion.
``cdc``           colour distribution consistency of Liu et al. 2021 (Temporally consistent video
                  colorization with deep feature propagation and self-regularization learning): the
                  Jensen-Shannon divergence, in nats, between the histograms of two frames, 256 bins
                  for each of R, G and B; the mean over channels and over pairs that are 1, 2 and 4
                  frames apart, then over these three. Light counts, too, so gray is not 0.
``psnr``          dB beside the true frame, then the mean over frames (``training.colorizer.metrics``)
``colorfulness``  Hasler and Suesstrunk 2003, the mean over frames (``training.colorizer.metrics``)
================  ==================================================================================

No pair reaches over a cut, and none counts in ``warp_error`` where next to nothing can be believed. Motion is
dense inverse search (Kroeger et al. 2016) in OpenCV's preset "medium", both ways, on the gray picture. A
point is believed where the two ways undo each other in the sense of Sundaram, Brox and Keutzer 2010 and it does
not come from outside the picture. Gray answers hold perfectly still: read no figure without the
colourfulness beside it. Needs no torch.
"""

from collections import deque
from dataclasses import dataclass
from statistics import fmean
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emocolor.chroma.conversion import Ab, Gray, Rgb8, ab_of
from emocolor.chroma.motion import carried

from .metrics import colorfulness, psnr

Histograms = NDArray[np.float64]
"""Shares of the pixels at each level of R, G and B: (3, 256), each row with sum 1."""

STRIDES: Final = (1, 2, 4)
"""How many frames lie between those whose colours ``cdc`` compares."""
SMALLEST_SIDE: Final = 16
"""px; below it motion cannot be searched."""
LEAST_SHARE: Final = 0.05
"""Of the points must be believed for a pair of frames to count in ``warp_error``; between frames that show different
things, as at a cut that nobody saw, mostly fewer are, and those by chance."""
BELIEVED_PART: Final = 0.01
BELIEVED_OFFSET: Final = 0.5
"""A motion is believed where the square of what both ways leave (px) is at most the sum of their squares times
``BELIEVED_PART``, and ``BELIEVED_OFFSET``: the values of Sundaram et al."""


@dataclass(frozen=True)
class Match:
    """Where each point of a frame was in the frame before."""

    to_before: NDArray[np.float32]
    """(H, W, 2), x and y in px."""
    believed: NDArray[np.bool_]
    """(H, W)"""

    @property
    def share(self) -> float:
        """Part of the points that are believed, in [0, 1]."""
        return float(self.believed.mean())


class Matcher:
    """Finds for each point of a frame the one of the frame before that it shows."""

    def __init__(self) -> None:
        self._searcher = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def match(self, before: Gray, gray: Gray) -> Match:
        """Both (H, W) uint8, sides of at least ``SMALLEST_SIDE`` px."""
        to_before, to_gray = self._flow(gray, before), self._flow(before, gray)
        back = carried(to_gray, to_before)
        left = _squares(to_before + back)
        agree = left <= BELIEVED_PART * (_squares(to_before) + _squares(back)) + BELIEVED_OFFSET
        return Match(to_before, agree & _inside(to_before))

    def _flow(self, start: Gray, end: Gray) -> NDArray[np.float32]:
        return np.asarray(self._searcher.calc(np.ascontiguousarray(start), np.ascontiguousarray(end), None), np.float32)


def warp_error(before: Ab, ab: Ab, match: Match) -> float:
    """Mean absolute difference, in CIELAB units, of ab (H, W, 2) and that of the frame before, where believed.

    Raises ``ValueError`` where no point is believed.
    """
    if not match.believed.any():
        raise ValueError("No point of the match is believed.")
    return float(np.abs(ab - carried(before, match.to_before))[match.believed].mean(dtype=np.float64))


def histograms(rgb: Rgb8) -> Histograms:
    """Shares of the levels of each channel of (H, W, 3) uint8."""
    counts = [np.bincount(channel.ravel(), minlength=256) for channel in cv2.split(rgb)]
    return np.stack(counts) / (rgb.shape[0] * rgb.shape[1])


def js_divergence(one: Histograms, other: Histograms) -> float:
    """Jensen-Shannon divergence in nats, 0 to ln 2, the mean over channels; zero counts add nothing."""
    middle = (one + other) / 2
    return float((_relative_entropy(one, middle) + _relative_entropy(other, middle)) / 2)


class VideoScores:
    """Gathers the figures of one video frame by frame, in the memory of one frame."""

    def __init__(self) -> None:
        self._ab: Ab | None = None
        self._histograms: deque[Histograms] = deque(maxlen=max(STRIDES))
        """Of the frames before, of this shot; the latest comes last."""
        self._warp_errors: list[float] = []
        self._divergences: dict[int, list[float]] = {stride: [] for stride in STRIDES}
        self._psnr: list[float] = []
        self._colorfulness: list[float] = []

    def add(self, rgb: Rgb8, truth: Rgb8, match: Match | None) -> None:
        """Count the next frame beside the true one; ``match`` is None where a shot starts."""
        ab = ab_of(rgb)
        if match is None:
            self._histograms.clear()
        elif match.share >= LEAST_SHARE:
            assert self._ab is not None, "the first frame has none before it to match"
            self._warp_errors.append(warp_error(self._ab, ab, match))
        self._ab = ab
        self._add_histograms(histograms(rgb))
        self._psnr.append(psnr(rgb, truth))
        self._colorfulness.append(colorfulness(rgb))

    def figures(self) -> dict[str, float]:
        """The table above, by its names, rounded to six decimals.

        Raises ``ValueError`` where no two frames could be matched, or no shot has frames four apart.
        """
        if not self._warp_errors or not all(self._divergences.values()):
            raise ValueError("Too few frames of one shot have been added, or none could be matched.")
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


def _squares(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squared lengths (H, W) of (H, W, 2)."""
    return np.asarray(np.square(flow).sum(axis=2), np.float32)


def _inside(flow: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where (H, W, 2) does not point out of the picture."""
    height, width = flow.shape[:2]
    x, y = flow[..., 0] + np.arange(width), flow[..., 1] + np.arange(height)[:, None]
    return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))
