"""Gradients: stops and bands, OpenCV's maps, what matplotlib makes of the same colours, and mistakes."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.color import rgb_to_codes
from emocolor.errors import ConfigurationError
from emocolor.frames import ColorSpec
from emocolor.gradients import OPENCV_MAPS, Gradient, parse_gradient

FULL = ColorSpec(full_range=True)


def test_gradients_have_their_ends_and_stops():
    gradient = parse_gradient("#000000-#8b4513@0.25-#ffe4b5")
    assert gradient.at(np.array([0, 0.25, 1])) * 255 == pytest.approx(
        np.array([[0, 0, 0], [139, 69, 19], [255, 228, 181]])
    )
    assert gradient.at(np.array(0.125)) * 255 == pytest.approx([69.5, 34.5, 9.5])


def test_gradient_ends_hold_and_two_stops_at_one_level_are_a_step():
    gradient = parse_gradient("#f00@.2-#0f0@0.5-#00f@0.5-#fff@0.8")
    levels = np.array([0, 0.2, 0.4999999, 0.5, 0.8, 1])
    wanted = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, 1]]
    assert gradient.at(levels) == pytest.approx(np.array(wanted), abs=1e-5)


def test_positions_left_out_lie_evenly_between_the_given():
    assert parse_gradient("#000-#111-#222@0.8-#333-#444-#555").positions == pytest.approx(
        [0, 0.4, 0.8, 0.8 + 0.2 / 3, 0.8 + 0.4 / 3, 1]
    )


def test_short_and_long_colours_are_the_same():
    assert np.array_equal(parse_gradient("#1aF-#fff").colors, parse_gradient("#11aaff-#FFFFFF").colors)


@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=2, max_size=9), st.floats(0, 1))
def test_gradients_equal_matplotlibs(colors, level):
    matplotlib_colors = pytest.importorskip("matplotlib.colors")
    gradient = parse_gradient("-".join("#{:02x}{:02x}{:02x}".format(*color) for color in colors))
    reference = matplotlib_colors.LinearSegmentedColormap.from_list("ours", np.array(colors) / 255, N=256)
    index = round(level * 255)
    assert gradient.at(np.array(index / 255)) == pytest.approx(reference(index)[:3])


def test_intensity_rules_are_five_bands_each_as_light_as_its_middle():
    levels = np.linspace(0, 1, 1001)
    colors = parse_gradient("intensity").at(levels)
    starts = np.flatnonzero(np.abs(np.diff(colors, axis=0)).sum(axis=1)) + 1
    assert levels[starts] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    for color, middle in zip(colors[[100, 300, 500, 700, 900]], (0.1, 0.3, 0.5, 0.7, 0.9), strict=True):
        luma = (rgb_to_codes(color, FULL, 8)[0]) / 255
        assert luma == pytest.approx(middle, abs=0.02)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("turb", "Unknown colormap 'turb'; did you mean 'turbo'"),
        ("intensiti", "did you mean 'intensity'"),
        ("zzzzzz", "known are intensity, "),
        ("", "known are intensity, "),
        ("#000-#ggg", "'#ggg' is not a colour"),
        ("#000-", "'' is not a colour"),
        ("#0000-#fff", "'#0000' is not a colour"),
        ("#000-#fff@half", "'#fff@half' is not a colour"),
        ("#000-turbo", "'turbo' is not a colour"),
        ("#000", "two or more colours"),
        ("#000-#fff@1.5", "in ascending order; got [0.0, 1.5]"),
        ("#000@0.5-#888@0.2-#fff", "in ascending order; got [0.5, 0.2, 1.0]"),
    ],
)
def test_mistakes_in_a_maps_name_are_named(text, words):
    with pytest.raises(ConfigurationError) as error:
        parse_gradient(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("colors", "positions"),
    [
        (np.zeros((1, 3)), None),
        (np.zeros((3, 4)), None),
        (np.zeros(3), None),
        (np.full((2, 3), 255.0), None),
        (np.full((2, 3), np.nan), None),
        (np.zeros((2, 3)), np.array([0.0])),
        (np.zeros((2, 3)), np.array([0, np.nan])),
    ],
)
def test_gradients_check_themselves(colors, positions):
    with pytest.raises(ConfigurationError, match="gradient needs"):
        Gradient(colors=colors, positions=positions)


@pytest.mark.parametrize("name", OPENCV_MAPS)
def test_opencvs_maps_have_opencvs_colours(name):
    levels = np.arange(256, dtype=np.uint8)
    wanted = cv2.applyColorMap(levels, OPENCV_MAPS[name]).reshape(256, 3)[:, ::-1]
    assert np.array_equal(np.rint(parse_gradient(name).at(levels / 255) * 255), wanted)


@given(st.lists(st.floats(-1, 2), max_size=9))
def test_levels_of_any_shape_get_colours_in_range(levels):
    gradient = parse_gradient("#123-#8b4513@.4-#ffe4b5")
    colors = gradient.at(np.array(levels).reshape(1, -1))
    assert colors.shape == (1, len(levels), 3)
    assert ((colors >= 0) & (colors <= 1)).all()


def test_gradients_are_equal_by_name_colours_and_positions():
    even, uneven = parse_gradient("#000-#fff"), Gradient(colors=np.array([[0.0] * 3, [1.0] * 3]), name="#000-#fff")
    assert even == parse_gradient("#000-#fff")
    assert hash(even) == hash(uneven)
    assert even != uneven  # one has positions
    assert uneven == Gradient(colors=uneven.colors.copy(), name=uneven.name)
    assert even != parse_gradient("#000-#fff@1.0")  # another text
    assert even != "#000-#fff"
