"""Chroma added to gray: luma stays, colours come back, and ab may have any resolution."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emocolor.chroma.conversion import ab_of, chroma_of, luma_of, with_chroma
from emocolor.color import linear_to_srgb, rgb_to_codes
from emocolor.frames import ColorSpec

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


def flat_ab(a, b, shape=(16, 16)):
    return np.full((*shape, 2), (a, b), np.float32)


def test_no_chroma_leaves_gray_gray():
    colored = with_chroma(LEVELS, flat_ab(0, 0))
    assert np.array_equal(colored, np.repeat(LEVELS[..., None], 3, axis=2))


@given(arrays(np.uint8, (8, 8)), arrays(np.float32, (8, 8, 2), elements=st.floats(-110, 110, width=32)))
def test_luma_stays_wherever_the_gamut_allows_it(gray, ab):
    colored = with_chroma(gray, ab)
    inside = ((colored > 0) & (colored < 255)).all(axis=2)
    assert np.abs(luma_of(colored).astype(int) - gray)[inside].max(initial=0) <= 1


@pytest.mark.parametrize("color", [(200, 120, 90), (60, 90, 160), (80, 140, 70), (128, 128, 128), (250, 240, 200)])
def test_true_ab_gives_nearly_the_true_colour(color):
    """Not quite: luma is kept, so lightness may change where the colour is strong."""
    truth = np.full((4, 4, 3), color, np.uint8)
    colored = with_chroma(luma_of(truth), ab_of(truth))
    assert np.abs(colored.astype(int) - truth).max() <= 12
    assert np.abs(ab_of(colored) - ab_of(truth)).max() < 5


def exact_rgb(lightness, a, b):
    """sRGB (3,) in [0, 1] of a CIELAB colour under D65, computed by the standard (IEC 61966-2-1)."""
    y = (lightness + 16) / 116
    roots = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29)) * [0.9505, 1, 1.089]
    light = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]] @ xyz
    return linear_to_srgb(light)


@pytest.mark.parametrize(("gray", "lightness"), [(119, 50.03), (10, 2.7), (230, 91.29)])
def test_chroma_is_that_of_the_lab_colour_with_the_gray_s_lightness(gray, lightness):
    chroma = chroma_of(np.full((2, 2), gray, np.uint8), flat_ab(6, -4, (2, 2)))
    _, cb, cr = rgb_to_codes(exact_rgb(lightness, 6, -4), ColorSpec(matrix="bt601", full_range=True), 8)
    assert chroma[0, 0] == pytest.approx([(cb - 128) / 255, (cr - 128) / 255], abs=2e-3)


def test_positive_a_is_red_and_positive_b_is_yellow():
    gray = np.full((1, 1), 128, np.uint8)
    red, yellow = (with_chroma(gray, flat_ab(a, b, (1, 1)))[0, 0].astype(int) for a, b in ((40, 0), (0, 40)))
    assert red[0] > red[1] + 50
    assert yellow[2] < min(yellow[:2]) - 50
    assert ab_of(np.full((1, 1, 3), (255, 0, 0), np.uint8))[0, 0] == pytest.approx([80.1, 67.2], abs=0.5)


def test_coarse_ab_is_scaled_up_in_lines_between_its_samples():
    gray = np.full((8, 64), 128, np.uint8)
    coarse = np.zeros((2, 16, 2), np.float32)
    coarse[:, 8:, 0] = 40
    fine = ab_of(with_chroma(gray, coarse))[4, :, 0]
    assert np.abs(fine[:30]).max() < 1
    assert np.diff(fine[29:35]) == pytest.approx([5, 10, 10, 10, 5], abs=1)
    assert np.ptp(fine[34:]) < 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (181, 323)])
def test_any_size_takes_any_ab(shape):
    gray = np.full(shape, 90, np.uint8)
    assert with_chroma(gray, flat_ab(5, 5, (3, 7))).shape == (*shape, 3)
    assert chroma_of(gray, flat_ab(5, 5, (3, 7))).shape == (*shape, 2)


def test_impossible_ab_stays_in_the_gamut():
    colored = with_chroma(LEVELS, flat_ab(500, -500))
    assert colored.dtype == np.uint8
    assert np.abs(chroma_of(LEVELS, flat_ab(500, -500))).max() <= 0.5


@pytest.mark.parametrize(
    ("gray", "ab"),
    [
        (np.zeros((4, 4, 3), np.uint8), flat_ab(0, 0)),
        (np.zeros((4, 4), np.float32), flat_ab(0, 0)),
        (np.zeros((4, 4), np.uint8), np.zeros((2, 4, 4), np.float32)),
    ],
)
def test_other_shapes_and_dtypes_are_refused(gray, ab):
    with pytest.raises(ValueError, match="gray must be"):
        chroma_of(gray, ab)
