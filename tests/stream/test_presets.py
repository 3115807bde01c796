"""Presets: files of options."""

import tomllib

import pytest

from emocolor.effects.tint import S0_TINT
from emocolor.errors import ConfigurationError, SinkError
from stream.presets import complete, preset_names, read_preset, write_preset
from stream.settings import FILE_GROUPS, chain_of, job_settings


def test_the_presets_that_ship():
    names = {"paper", "portrait", "cinema", "duotone", "painting", "archive", "newsreel", "live-light"}
    assert names <= set(preset_names())


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_job_and_says_what_it_does(name):
    preset = read_preset(name)
    assert preset.description.endswith(".")
    assert job_settings(preset.values, input="a.mp4").effects


def test_paper_is_s0_to_the_letter():
    preset = read_preset("paper")
    assert chain_of(preset.values) == (S0_TINT,)
    assert preset.values["analysis"]["net"] == "s0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("effect = ", "not valid TOML"),
        ("efect = 'tint'", "Preset mine: .*did you mean 'effect'"),
        ("[tint]\nalhpa = 1", "no option 'alhpa' in tint; did you mean 'alpha'"),
        ("[tint]\nalpha = 'x'", "tint alpha must be a number between 0 and 1, got 'x'"),
        ("[grade]\nstrength = 1", "options for grade, which is not in its chain 'tint'"),
        ("effect = 3", "effect must be text"),
        ("description = 3", "description must be text"),
        ("effect = 'tint,tnit'", "did you mean 'tint'"),
        ("tint = " + "[" * 30_000, "nested more than 8 deep"),
        ("tint." * 10_000 + "alpha = 1", "a key has more than 8 parts"),
        ("[tint]\nalpha = 1" + "0" * 400, "more than 64 bits"),
        (f"[colorize]\nreference = '{'x' * 300}.jpg'", "colorize, which is not in its chain"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text, words, tmp_path):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_preset(str(tmp_path / "mine.toml"))
    assert "\n" not in str(caught.value)


def test_a_preset_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"No preset 'papper'; did you mean 'paper'\? A file is named"):
        read_preset("papper")
    with pytest.raises(ConfigurationError, match=r"No preset '.*none.toml'\."):
        read_preset(str(tmp_path / "none.toml"))
    (tmp_path / "latin.toml").write_bytes(b"description = '\xe9'")
    with pytest.raises(ConfigurationError, match="Cannot read"):
        read_preset(str(tmp_path / "latin.toml"))


def test_paths_are_relative_to_the_preset(tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text(read_palette_text())
    (tmp_path / "mine.toml").write_text('[tint]\npalette = "own.toml"')
    monkeypatch.chdir("/")
    assert chain_of(read_preset(str(tmp_path / "mine.toml")).values)[0].palette.name == "own"


def read_palette_text():
    from stream.config_files import shipped_folder

    return (shipped_folder("palette") / "muted.toml").read_text()


def test_what_is_written_is_read_again_with_all_values(tmp_path):
    path = tmp_path / "mine.toml"
    values = {"effect": "colormap:hot,tint", "tint": {"alpha": 0.1}, "output": {"crf": 20.0}}
    write_preset(path, values, FILE_GROUPS, overwrite=False)
    assert tomllib.loads(path.read_text())["tint"]["palette"] == "s0", "defaults are written too"
    again = read_preset(str(path))
    assert job_settings(again.values, input="a") == job_settings(values, input="a")
    with pytest.raises(SinkError, match=r"exists\. The option"):
        write_preset(path, values, FILE_GROUPS, overwrite=False)
    write_preset(path, values, FILE_GROUPS, overwrite=True)
    with pytest.raises(ConfigurationError, match="name it"):
        write_preset(tmp_path / "mine.json", values, FILE_GROUPS, overwrite=False)
    with pytest.raises(SinkError, match="does not exist"):
        write_preset(tmp_path / "no" / "mine.toml", values, FILE_GROUPS, overwrite=False)


def test_only_effects_in_the_chain_are_completed():
    assert {"grade", "analysis", "output"} <= set(complete({"effect": "grade"}, FILE_GROUPS))
    assert "tint" not in complete({"effect": "grade"}, FILE_GROUPS)
