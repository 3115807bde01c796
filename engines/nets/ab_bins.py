"""Bins of colour: squares of the ab plane of CIELAB in and around the gamut of sRGB (Zhang et al. 2016).

Centers lie at multiples of the grid, so gray is one of them. The paper keeps bins that are "in gamut" and states no
rule. Its published list for grid 10 has 313, of which 52 are the cell of no sRGB colour, so a margin around the gamut
is part of it. Here a bin is kept if some sRGB colour lies within ``REACH`` grid steps of its center. That gives 313
bins at grid 10, of which 309 are published ones. At grid 12 it gives 231, of which 190 hold a colour; S2 states 256
and no rule.

The margin is useful: soft targets take the five nearest bins, and those of a saturated colour lie partly outside the
gamut.
"""

from functools import cache
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emocolor.color import srgb_to_linear
from emocolor.errors import ConfigurationError

LIGHT_TO_XYZ: Final = np.array(
    [
        [0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456],
        [0.212671, 0.715160, 0.072169],
        [0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754],
    ]
)
"""Linear sRGB to XYZ relative to white (D65), with OpenCV's numbers: white is (1, 1, 1)."""

REACH: Final = 4 / 3
"""How far outside the gamut a bin's center may lie, in grid steps."""

CANDIDATES: Final = 13
"""Bins stored per cell: enough that the five nearest to any sRGB colour in the cell are among them."""

_SIDE: Final = 49
"""Colours sampled along an edge of the RGB cube."""


class AbBins:
    """The bins of one grid; they are computed once for each grid.

    Raises ``ConfigurationError`` for a grid outside 5 to 40.
    """

    def __init__(self, grid: int) -> None:
        if not 5 <= grid <= 40:
            raise ConfigurationError(f"The grid of colour bins must be 5 to 40 units of CIELAB, got {grid}.")
        self.grid = grid
        """Side of a bin in CIELAB units."""
        self.centers, self.cells = _bins(grid)
        """``centers``: ab (Q, 2) float32, sorted by a, then b. ``cells``: the bins near each cell of the whole plane,
        (C, C, CANDIDATES) int64, the nearest to the cell's center first; cell (C // 2, C // 2) is gray."""

    def __len__(self) -> int:
        return len(self.centers)

    def nearest(self, ab: NDArray[np.floating]) -> NDArray[np.int64]:
        """The bin of each colour: ab (..., 2) to indices (...).

        A colour outside sRGB whose own cell is no bin gets the bin nearest to that cell.
        """
        return self._candidates(ab)[..., 0]

    def k_nearest(self, ab: NDArray[np.floating], k: int) -> NDArray[np.int64]:
        """The ``k`` bins, at most 5, with the nearest centers, nearest first: ab (..., 2) to indices (..., k)."""
        assert 1 <= k <= 5, k
        candidates = self._candidates(ab)
        distances = ((self.centers[candidates] - ab[..., None, :]) ** 2).sum(-1)
        return np.take_along_axis(candidates, distances.argsort(-1, kind="stable")[..., :k], -1)

    def spread(self, parts: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
        """Smooth a distribution over bins (Q,) by a Gaussian of their distance, ``sigma`` in CIELAB units.

        The sum stays the same.
        """
        centers = self.centers.astype(np.float64)
        kernel = np.exp(-_squared_distances(centers, centers) / (2 * sigma**2))
        return np.asarray((kernel / kernel.sum(0)) @ parts)

    def _candidates(self, ab: NDArray[np.floating]) -> NDArray[np.int64]:
        middle = len(self.cells) // 2
        cell = np.clip(np.rint(ab / self.grid).astype(np.int64), -middle, middle) + middle
        return self.cells[cell[..., 0], cell[..., 1]]


@cache
def _bins(grid: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """``AbBins.centers`` and ``AbBins.cells``."""
    steps = int(np.ceil(120 / grid)) + 1
    lattice = np.array(list(product(range(-steps, steps + 1), repeat=2)), np.float64) * grid
    distances = np.min([_squared_distances(lattice, face).min(1) for face in _gamut_faces()], axis=0)
    centers = lattice[distances <= (REACH * grid) ** 2]
    order = _squared_distances(lattice, centers).argsort(1, kind="stable")[:, :CANDIDATES]
    cells = order.reshape(2 * steps + 1, 2 * steps + 1, -1)
    centers, cells = centers.astype(np.float32), cells.astype(np.int64)
    centers.flags.writeable = cells.flags.writeable = False  # shared by all AbBins of this grid
    return centers, cells


def _gamut_faces() -> list[NDArray[np.float64]]:
    """ab (n, 2) on the six faces of the RGB cube; no colour inside the cube lies outside of theirs."""
    levels = np.linspace(0, 1, _SIDE)
    first, second = (level.ravel() for level in np.meshgrid(levels, levels))
    faces = (np.insert(np.stack([first, second], 1), axis, end, axis=1) for axis in range(3) for end in (0.0, 1.0))
    return [_ab(face) for face in faces]


def _ab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """a* and b* (n, 2) of sRGB (n, 3) in [0, 1]."""
    xyz = srgb_to_linear(rgb) @ LIGHT_TO_XYZ.T
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29).T
    return np.stack([500 * (x - y), 200 * (y - z)], 1)


def _squared_distances(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, m) from (n, 2) and (m, 2)."""
    return np.asarray((points**2).sum(1)[:, None] - 2 * points @ others.T + (others**2).sum(1))
