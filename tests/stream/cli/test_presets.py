"""``emocolor-stream presets``."""

import tomllib

import pytest

from emocolor.errors import ConfigurationError
from stream.cli.presets import list_presets, show_preset
from stream.presets import preset_names, read_preset


def test_all_are_listed_with_what_they_do(capsys):
    assert list_presets() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == preset_names()
    assert all(line.endswith(read_preset(line.split()[0]).description) for line in lines)


def test_one_is_shown_as_it_can_be_saved(capsys):
    assert show_preset("duotone") == 0
    shown = tomllib.loads(capsys.readouterr().out)
    assert shown.pop("description") == read_preset("duotone").description
    assert shown == read_preset("duotone").values


def test_one_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match="did you mean 'duotone'"):
        show_preset("duoton")
