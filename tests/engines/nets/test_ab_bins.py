"""The quantised ab plane: which bins there are, and which is nearest."""

import numpy as np
import pytest

from emocolor.chroma.conversion import ab_of
from emocolor.errors import ConfigurationError
from engines.nets.ab_bins import AbBins

PUBLISHED = {
    **{-90: (50, 90), -80: (20, 90), -70: (0, 90), -60: (-20, 90), -50: (-30, 100), -40: (-40, 100), -30: (-50, 100)},
    **{-20: (-50, 100), -10: (-60, 100), 0: (-70, 100), 10: (-80, 90), 20: (-80, 90), 30: (-90, 90), 40: (-100, 90)},
    **{50: (-100, 80), 60: (-110, 80), 70: (-110, 80), 80: (-110, 70), 90: (-110, 70), 100: (-90, 0)},
}
"""The list of Zhang et al. 2016 for grid 10: first and last b of each a."""


@pytest.fixture(scope="module")
def ab():
    """2,000 colours of all sRGB, and the corners of the cube, where saturation is greatest."""
    rgb = np.random.default_rng(0).integers(0, 256, (1, 2000, 3), np.uint8)
    rgb[0, :8] = np.array(np.meshgrid(*[[0, 255]] * 3)).reshape(3, 8).T
    return ab_of(rgb)[0]


@pytest.mark.parametrize(("grid", "count"), [(10, 313), (12, 231)])
def test_number_of_bins(grid, count):
    bins = AbBins(grid)
    assert len(bins) == len(bins.centers) == count
    assert bins.centers.dtype == np.float32
    assert len(np.unique(bins.centers, axis=0)) == count
    assert (bins.centers % grid == 0).all()


def test_bins_are_nearly_the_published_ones():
    published = {(a, b) for a, (first, last) in PUBLISHED.items() for b in range(first, last + 1, 10)}
    assert len(published) == 313
    assert len(published & {(int(a), int(b)) for a, b in AbBins(10).centers}) == 309


@pytest.mark.parametrize("grid", [5, 10, 12, 40])
def test_nearest_agrees_with_all_distances(grid, ab):
    bins = AbBins(grid)
    distances = np.linalg.norm(ab[:, None].astype(np.float64) - bins.centers, axis=-1)
    found = np.take_along_axis(distances, bins.k_nearest(ab, 5), 1)
    assert np.allclose(found, np.sort(distances, 1)[:, :5], atol=1e-4)
    nearest = np.take_along_axis(distances, bins.nearest(ab)[:, None], 1)[:, 0]
    assert np.allclose(nearest, distances.min(1), atol=1e-4)
    assert distances.min(1).max() <= grid / np.sqrt(2)


def test_shapes_are_kept_and_gray_is_gray():
    bins = AbBins(12)
    plane = np.zeros((4, 7, 2), np.float32)
    assert bins.nearest(plane).shape == (4, 7)
    assert bins.k_nearest(plane, 3).shape == (4, 7, 3)
    assert (bins.centers[bins.nearest(plane)] == 0).all()


def test_colours_that_do_not_exist_get_a_bin_at_the_edge():
    bins = AbBins(10)
    assert np.abs(bins.centers[bins.nearest(np.array([[900.0, 0.0]]))] - [[100, 0]]).max() <= 10


@pytest.mark.parametrize("grid", [0, -10, 4, 41])
def test_a_grid_out_of_range_is_refused(grid):
    with pytest.raises(ConfigurationError, match="5 to 40"):
        AbBins(grid)
