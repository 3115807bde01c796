"""Baselines and nets as functions from gray to colour."""

import cv2
import numpy as np
import pytest

from emocolor.chroma.conversion import ab_of, luma_of
from emocolor.errors import ConfigurationError
from training.colorizer.recolorers import BASELINES, MEAN_AB, baseline_recolorer, load_recolorer

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_every_baseline_of_the_readme_is_there():
    assert all(baseline_recolorer(name)(RAMP).shape == (16, 16, 3) for name in BASELINES)


def test_the_baseline_gray_repeats_the_level():
    assert np.array_equal(baseline_recolorer("gray")(RAMP), np.stack([RAMP] * 3, axis=2))


def test_the_baseline_mean_has_one_ab_wherever_the_gamut_allows():
    assert 0 < MEAN_AB[0] < MEAN_AB[1]  # photos are brownish in the mean
    assert ab_of(baseline_recolorer("mean")(RAMP))[4:12].mean((0, 1)) == pytest.approx(MEAN_AB, abs=0.3)


@pytest.mark.parametrize("name", ["turbo", "jet", "hot", "twilight_shifted"])
def test_baselines_named_as_opencv_s_maps_are_these_maps(name):
    wanted = cv2.applyColorMap(RAMP, getattr(cv2, f"COLORMAP_{name.upper()}"))[..., ::-1]
    assert np.array_equal(baseline_recolorer(name)(RAMP), wanted)


def test_gradients_are_baselines_too():
    assert baseline_recolorer("#000-#ff0000")(RAMP)[15, 15].tolist() == [255, 0, 0]
    assert len(np.unique(baseline_recolorer("intensity")(RAMP).reshape(-1, 3), axis=0)) == 5


def test_the_net_that_ships_keeps_luma_and_gives_colour():
    y, x = np.mgrid[:96, :128]
    gray = np.uint8(60 + 0.6 * y + 40 * ((x // 16) % 2))
    image = load_recolorer(None, None)(gray)
    assert image.shape == (96, 128, 3)
    assert np.abs(luma_of(image).astype(int) - gray).max() <= 1
    assert np.ptp(image, axis=2).max() > 5
    assert np.array_equal(image, load_recolorer("film", None)(gray))


def test_unknown_nets_are_named():
    with pytest.raises(ConfigurationError, match="Unknown net 'flim'; did you mean 'film'"):
        load_recolorer("flim", None)
