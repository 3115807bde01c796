"""Layers of options: the command's, a preset's, and the flags over both."""

import tomllib

import pytest

from emocolor.errors import ConfigurationError
from stream.cli.layers import ENCODER_PRESETS, applicable, raw_values, save_preset
from stream.cli.parameters import flags_for
from stream.settings import FILE_GROUPS, AnalysisOptions

FLAGS = flags_for(FILE_GROUPS)


def values(preset=None, effect=None, overlay=False, base=None, **flags):
    arguments = {flag.parameter.name: None for flag in FLAGS}
    for name, value in flags.items():
        arguments[f"option_{name}"] = value
    return raw_values(FLAGS, arguments, base=base or {}, preset=preset, effect=effect, overlay=overlay)


def test_flags_lie_over_the_preset_and_that_over_the_command():
    found = values("cinema", base={"effect": "colorize", "restoration": {"deinterlace": "auto"}}, grade_skin="0.5")
    assert found == {
        "effect": "grade",
        "restoration": {"deinterlace": "auto"},
        "grade": {"strength": 0.9, "skin": 0.5},
    }


def test_a_flag_that_names_another_chain_drops_the_options_of_the_one_before():
    found = values("paper", effect="grade")
    assert found["effect"] == "grade"
    assert "tint" not in found
    assert found["analysis"] == {"net": "s0"}


def test_the_overlay_is_the_last_effect():
    assert values(overlay=True)["effect"] == "tint,overlay"
    assert values(effect="none", overlay=True)["effect"] == "overlay"
    assert values(effect="overlay,tint", overlay=True)["effect"] == "overlay,tint"
    assert values(effect="grade", overlay=True, palette="muted")["overlay"] == {"palette": "muted"}


def test_the_encoders_preset_was_once_called_preset(capsys):
    assert values("veryfast")["output"] == {"preset": "veryfast"}
    assert capsys.readouterr().err == "warning: the encoder's --preset is now called --encoder-preset.\n"
    assert values("veryfast", encoder_preset="slow")["output"] == {"preset": "slow"}
    assert {"8", "ultrafast"} <= ENCODER_PRESETS
    with pytest.raises(ConfigurationError, match="No preset 'quick'"):
        values("quick")


def test_what_does_not_apply_is_left_out_with_a_warning(capsys):
    kept = applicable({"effect": "tint", "device": "cpu", "analysis": {"net": "s0"}, "live": {"once": True}}, FLAGS)
    assert kept == {"effect": "tint", "device": "cpu", "analysis": {"net": "s0"}, "live": {}}
    assert capsys.readouterr().err == "warning: live.once of the preset does not apply here.\n"


def test_what_is_saved_belongs_to_no_film(tmp_path):
    path = tmp_path / "mine.toml"
    save_preset(None, {}, FILE_GROUPS)
    save_preset(path, {"input": {"start_seconds": "1", "max_pixels": 9}, "output": {"overwrite": False}}, FILE_GROUPS)
    saved = tomllib.loads(path.read_text())
    assert saved["input"] == {"max_pixels": 9}
    save_preset(path, {"output": {"overwrite": True}}, (AnalysisOptions,))
    assert set(tomllib.loads(path.read_text())) == {"description", "effect", "analysis", "tint"}
