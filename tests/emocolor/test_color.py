"""Conversions between colour spaces: exact values from the standards, round trips, and bounds."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.color import (
    LMS_TO_LINEAR,
    LUMA_WEIGHTS,
    OKLAB_TO_LMS,
    code_range,
    codes_to_rgb,
    linear_to_srgb,
    oklab_to_srgb,
    rgb_to_codes,
    srgb_to_linear,
    srgb_to_oklab,
)
from emocolor.frames import ColorSpec, Matrix

MATRICES = get_args(Matrix)
PQ = ColorSpec(matrix="bt2020", primaries="bt2020", transfer="pq")
HLG = ColorSpec(matrix="bt2020", primaries="bt2020", transfer="hlg")

specs = st.builds(ColorSpec, matrix=st.sampled_from(MATRICES), full_range=st.booleans())
depths = st.sampled_from([8, 10, 12, 16])
colors = st.tuples(*[st.floats(0, 1)] * 3).map(np.array)


@pytest.mark.parametrize(
    ("full_range", "bits", "wanted"),
    [
        (False, 8, (16, 219, 128, 224)),
        (False, 10, (64, 876, 512, 896)),
        (True, 8, (0, 255, 128, 255)),
        (True, 10, (0, 1023, 512, 1023)),
    ],
)
def test_code_ranges_are_those_of_bt709_and_jpeg(full_range, bits, wanted):
    assert code_range(ColorSpec(full_range=full_range), bits) == wanted


@pytest.mark.parametrize("matrix", MATRICES)
def test_grays_have_no_chroma_and_white_is_white(matrix):
    black, span, middle, _ = code_range(ColorSpec(matrix=matrix), 8)
    for level in (0.0, 0.3, 1.0):
        y, cb, cr = rgb_to_codes(np.full(3, level), ColorSpec(matrix=matrix), 8)
        assert (y, cb, cr) == pytest.approx((black + span * level, middle, middle))


def test_bt601_red_is_the_textbooks():
    """ITU-R BT.601: 100 % red in 8 bits is 81, 90, 240."""
    codes = rgb_to_codes(np.array([1.0, 0, 0]), ColorSpec(matrix="bt601"), 8)
    assert [round(code) for code in codes] == [81, 90, 240]


@given(specs, depths, colors)
def test_codes_and_rgb_are_inverse(color, bits, rgb):
    """But for the purest blue and red of full range, which lose half a code."""
    codes = np.array(rgb_to_codes(rgb, color, bits))
    back = codes_to_rgb(*codes, color, bits)
    assert back == pytest.approx(rgb, abs=1.1 / (1 << bits) if color.full_range else 1e-9)


@given(specs, depths, colors)
def test_codes_stay_within_their_range(color, bits, rgb):
    black, span, middle, chroma_span = code_range(color, bits)
    y, *chroma = rgb_to_codes(rgb, color, bits)
    assert black - 1e-6 <= y <= black + span + 1e-6
    for code in chroma:
        assert middle - chroma_span / 2 - 1e-6 <= code <= min(middle + chroma_span / 2, (1 << bits) - 1) + 1e-6


def test_arrays_are_converted_point_by_point():
    codes = np.random.default_rng(0).uniform(16, 235, (3, 5, 7))
    rgb = codes_to_rgb(*codes, ColorSpec(), 8)
    assert rgb.shape == (5, 7, 3)
    assert rgb[2, 3] == pytest.approx(codes_to_rgb(*codes[:, 2, 3], ColorSpec(), 8))


@pytest.mark.parametrize("matrix", MATRICES)
def test_luma_weights_leave_a_part_for_green(matrix):
    red, blue = LUMA_WEIGHTS[matrix]
    assert min(red, blue) > 0
    assert red + blue < 0.5


@given(st.floats(0, 1))
def test_srgb_round_trip(level):
    assert linear_to_srgb(srgb_to_linear(np.array(level))) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize(("encoded", "light"), [(0.04045, 0.0031308), (0.5, 0.2140411), (1.0, 1.0), (0.0, 0.0)])
def test_srgb_has_the_values_of_its_standard(encoded, light):
    assert srgb_to_linear(np.array(encoded)) == pytest.approx(light, abs=1e-6)
    assert linear_to_srgb(np.array(light)) == pytest.approx(encoded, abs=1e-6)


def test_light_outside_the_gamut_is_clipped():
    assert linear_to_srgb(np.array([-0.5, 1.5])) == pytest.approx([0, 1])


@given(colors)
def test_oklab_round_trip(rgb):
    assert oklab_to_srgb(srgb_to_oklab(rgb)) == pytest.approx(rgb, abs=2e-3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((1, 1, 1), (1, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
    ],
)
def test_oklab_has_ottossons_values(rgb, lab):
    assert srgb_to_oklab(np.array(rgb, float)) == pytest.approx(lab, abs=2e-4)


def test_the_inverse_matrices_lead_from_oklab_to_light():
    light = (np.array([1.0, 0, 0]) @ OKLAB_TO_LMS.T) ** 3 @ LMS_TO_LINEAR.T
    assert light == pytest.approx([1, 1, 1], abs=1e-3)


def test_diffuse_white_has_the_levels_of_bt2408():
    """203 nits: 58 % of the PQ signal, 75 % of HLG's."""
    black, span, middle, _ = code_range(PQ, 10)
    for color, level in ((PQ, 0.58), (HLG, 0.75)):
        y, cb, cr = rgb_to_codes(np.ones(3), color, 10)
        assert (y - black) / span == pytest.approx(level, abs=0.002)
        assert (cb, cr) == pytest.approx((middle, middle), abs=0.1)


@pytest.mark.parametrize("color", [PQ, HLG])
def test_hdr_signals_rise_with_light_from_black(color):
    lumas = [rgb_to_codes(np.full(3, level), color, 10)[0] for level in np.linspace(0, 1, 50)]
    assert lumas[0] == pytest.approx(64, abs=0.1)
    assert np.all(np.diff(lumas) > 0)


def test_bt2020_primaries_hold_a_color_of_bt709_with_less_chroma():
    red = np.array([1.0, 0, 0])
    wide = rgb_to_codes(red, PQ, 10)
    narrow = rgb_to_codes(red, ColorSpec(matrix="bt2020", primaries="bt709", transfer="pq"), 10)
    assert wide[2] < narrow[2]
