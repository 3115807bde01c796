"""Colour as classification (Zhang, Isola and Efros 2016): soft targets over bins of ab, and weights for rare colours.

``engines.nets.annealed`` turns a distribution over bins back into one colour. S2 states the method with other numbers
than the paper it follows; both sets are here. What S2's formula 4 prints as Q / lambda is lambda / Q in the original,
which makes the sum a distribution.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emocolor.chroma.conversion import ab_of
from emocolor.errors import ConfigurationError
from engines.nets.ab_bins import AbBins

NEIGHBOURS: Final = 5
"""Bins of a soft target: the paper's number (the authors' code takes ten)."""


@dataclass(frozen=True, kw_only=True)
class BinParameters:
    """Hyperparameters of the classification."""

    grid: int
    """Side of a bin in CIELAB units."""
    uniform_part: float
    """Lambda, in (0, 1]: weight of the uniform distribution that is mixed into the prior before it is inverted."""
    sigma: float
    """Standard deviation in CIELAB units of the Gaussian of soft targets, and of the one that smooths the prior."""
    temperature: float
    """Of the annealed mean."""

    def __post_init__(self) -> None:
        if not 0 < self.uniform_part <= 1 or self.sigma <= 0 or self.temperature <= 0:
            raise ConfigurationError(
                "uniform_part must be above 0 and at most 1, sigma and temperature above 0; got "
                f"{self.uniform_part}, {self.sigma} and {self.temperature}."
            )


S2_DOCUMENT: Final = BinParameters(grid=12, uniform_part=1 / 4, sigma=6.0, temperature=0.45)
S2_ORIGINAL: Final = BinParameters(grid=10, uniform_part=1 / 2, sigma=5.0, temperature=0.38)


class SoftTargets(NamedTuple):
    """Sparse distributions over bins: k bins per pixel, all others are zero."""

    indices: Tensor
    """(N, k, h, w) int64, nearest bin first."""
    weights: Tensor
    """(N, k, h, w) float32, with sum 1."""


def soft_targets(ab: Tensor, bins: AbBins, *, sigma: float, neighbours: int = NEIGHBOURS) -> SoftTargets:
    """Spread each colour over its nearest bins, weighted by a Gaussian of the distance to their centers.

    ``ab`` is (N, 2, h, w) in CIELAB units; at most five ``neighbours``.
    """
    assert 1 <= neighbours <= NEIGHBOURS, neighbours
    colours = ab.float().movedim(1, -1)
    table = torch.from_numpy(bins.cells.copy()).to(ab.device)
    centers = torch.from_numpy(bins.centers.copy()).to(ab.device)
    middle = len(table) // 2
    cell = (colours / bins.grid).round().long().clamp(-middle, middle) + middle
    candidates = table[cell[..., 0], cell[..., 1]]
    distances = (centers[candidates] - colours.unsqueeze(-2)).square().sum(-1)
    nearest, order = distances.topk(neighbours, largest=False)
    weights = (nearest / (-2 * sigma**2)).softmax(-1)
    return SoftTargets(candidates.gather(-1, order).movedim(-1, 1), weights.movedim(-1, 1))


def bin_prior(photos: Iterable[NDArray[np.uint8]], bins: AbBins) -> NDArray[np.float64]:
    """Share of all pixels whose nearest bin it is, (Q,), over sRGB photos (H, W, 3).

    Raises ``ValueError`` where there is no photo.
    """
    counts = np.zeros(len(bins), np.int64)
    for photo in photos:
        counts += np.bincount(bins.nearest(ab_of(photo)).ravel(), minlength=len(bins))
    if not counts.any():
        raise ValueError("A prior over bins needs at least one photo.")
    return counts / counts.sum()


def rebalancing_weights(prior: NDArray[np.float64], bins: AbBins, parameters: BinParameters) -> NDArray[np.float64]:
    """Loss weight of a pixel whose nearest bin is q, (Q,): higher for rare colours; mean 1 under the smoothed prior."""
    smooth = bins.spread(prior, parameters.sigma)
    weights = 1 / ((1 - parameters.uniform_part) * smooth + parameters.uniform_part / len(bins))
    return np.asarray(weights / (smooth * weights).sum())
