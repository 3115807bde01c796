"""Palettes and presets as files."""

import numpy as np
import pytest

from emocolor.errors import ConfigurationError
from emocolor.palettes import S0
from stream.config_files import palette_names, read_palette, shipped_folder


def test_shipped_palettes_are_found_by_name():
    assert {"s0", "muted", "colorblind"} <= set(palette_names())
    for name in palette_names():
        assert read_palette(name).name == name
    assert np.allclose(read_palette("s0").colors, S0.colors)


def test_others_are_found_by_path(tmp_path):
    text = (shipped_folder("palette") / "muted.toml").read_text()
    (tmp_path / "mine.toml").write_text(text)
    assert np.array_equal(read_palette(str(tmp_path / "mine.toml")).colors, read_palette("muted").colors)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mutted", None, "No palette 'mutted'; did you mean 'muted'"),
        ("{tmp}/none.toml", None, r"No palette '.*none.toml'\."),
        ("{tmp}/mine.toml", b"colors = ", "not valid TOML"),
        ("{tmp}/mine.toml", b"name = '\xe9'", "Cannot read the palette"),
        ("{tmp}/mine.toml", b"a." * 30_000 + b"b = 1", r"Cannot read the palette .*: a key has more than 8 parts\."),
        ("{tmp}/mine.toml", b"a = " + b"[" * 30_000, r"Cannot read the palette .*: arrays and tables are nested"),
        ("{tmp}/mine.toml", b"a = " + b"9" * 5_000, "Cannot read the palette"),
        ("/dev/zero", None, r"Cannot read the palette /dev/zero: it is larger than 64 KB\."),
        ("{tmp}", None, "Cannot read the palette .*: .*directory"),
        ("{tmp}/mine.toml", b"[colors]\nangry = 3", "lacks a colour for disgust"),
    ],
)
def test_what_is_wrong_is_named(name, content, words, tmp_path):
    if content is not None:
        (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=words):
        read_palette(name.format(tmp=tmp_path))


def test_presets_lie_beside_palettes():
    assert (shipped_folder("preset") / "paper.toml").is_file()
