"""Palettes: the shipped ones, mixed colours, and mistakes in palette files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.emotions import EMOTIONS
from emocolor.errors import ConfigurationError
from emocolor.palettes import S0, parse_palette
from stream.config_files import palette_names, read_palette

TABLE = {"colors": {name: [int(v) for v in color * 255] for name, color in zip(EMOTIONS, S0.colors, strict=True)}}


def test_the_shipped_s0_palette_is_the_papers():
    assert np.array_equal(read_palette("s0").colors, S0.colors)
    assert (S0.colors[EMOTIONS.index("fear")] * 255).tolist() == [128, 0, 128]


@pytest.mark.parametrize("name", palette_names())
def test_every_shipped_palette_can_be_read(name):
    assert len(np.unique(read_palette(name).colors, axis=0)) == 7


def test_blend_is_the_probability_weighted_mean():
    probabilities = np.array([0.5, 0, 0, 0.5, 0, 0, 0])
    assert S0.color_of(probabilities) * 255 == pytest.approx([255, 127.5, 0])
    assert S0.color_of(probabilities, "argmax") * 255 == pytest.approx([255, 0, 0])


@given(st.lists(st.floats(0, 1), min_size=7, max_size=7).filter(lambda w: sum(w) > 0.01))
def test_every_mixture_is_a_colour(weights):
    probabilities = np.array(weights) / sum(weights)
    for space in ("rgb", "oklab"):
        color = S0.color_of(probabilities, "blend", space)
        assert ((color >= 0) & (color <= 1)).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colours": {}}, "did you mean 'colors'"),
        ({"colors": TABLE["colors"] | {"hapy": [0, 0, 0]}}, "did you mean 'happy'"),
        ({"colors": {k: v for k, v in TABLE["colors"].items() if k != "sad"}}, "lacks a colour for sad"),
        ({"colors": TABLE["colors"] | {"sad": [0, 0, 300]}}, "colour of sad"),
        ({"colors": TABLE["colors"] | {"sad": "#12345g"}}, "colour of sad"),
        ({"colors": [1, 2]}, r"\[colors\]"),
    ],
)
def test_mistakes_are_named(change, words):
    with pytest.raises(ConfigurationError, match=words):
        parse_palette("mine", TABLE | change)


def test_unknown_palette_names_the_nearest(tmp_path):
    with pytest.raises(ConfigurationError, match="did you mean 'muted'"):
        read_palette("mutted")
    broken = tmp_path / "broken.toml"
    broken.write_text("[colors\n")
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        read_palette(str(broken))
