"""An option that is declared once is everywhere: a toy effect with one option, looked for in all places."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest
from typer.testing import CliRunner

from emocolor.effects import EFFECTS, EffectEntry
from emocolor.errors import ConfigurationError
from emocolor.options import EffectOptions, option
from stream.cli.layers import raw_values
from stream.cli.parameters import flags_for
from stream.live.controls import Controls
from stream.presets import read_preset
from stream.settings import FILE_GROUPS, job_settings


@dataclass(frozen=True, kw_only=True)
class ToyOptions(EffectOptions):
    section: ClassVar[str] = "toy"

    dimness: Annotated[float, option("How dark it gets.", ge=0, le=1, step=0.05, unit="f", live=True)] = 0.25


class Toy:
    def __init__(self, options: ToyOptions) -> None:
        self.options = options

    def apply(self, frame, scene):
        frame.luma[...] = (frame.luma * (1 - self.options.dimness)).astype(frame.luma.dtype)
        return frame


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """The toy effect in the table: the one place that names it."""
    entry = EffectEntry(
        options=ToyOptions, main="dimness", description="Darken.", build=lambda options, nets: Toy(options)
    )
    monkeypatch.setitem(EFFECTS, "toy", entry)


def command_line(*words: str) -> dict[str, Any]:
    """What these words set, by the flags that the table makes."""
    flags = flags_for(FILE_GROUPS)
    arguments = {flag.parameter.name: None for flag in flags}
    by_spelling = {flag.spelling: flag for flag in flags} | {
        f"--{flag.options[0].section}-{flag.options[0].flag}": flag for flag in flags if len(flag.options) == 1
    }
    for spelling, value in zip(words[::2], words[1::2], strict=True):
        arguments[by_spelling[spelling].parameter.name] = value
    return raw_values(flags, arguments, base={}, preset=None, effect="toy")


def test_on_the_command_line():
    for spelling in ("--dimness", "--toy-dimness"):
        (effect,) = job_settings(command_line(spelling, "0.5"), input="a").effects
        assert effect == ToyOptions(dimness=0.5)
    with pytest.raises(ConfigurationError, match="toy dimness must be a number between 0 and 1, got '2x'"):
        command_line("--dimness", "2x")


def test_in_the_help():
    from stream.cli.app import build_app

    told = CliRunner().invoke(build_app(), ["run", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    assert "--toy-dimness" in told
    assert "How dark it gets. Default: 0.25 f." in told
    assert "0..1" in told
    assert "toy[:DIMNESS]" in told


def test_in_presets(tmp_path):
    (tmp_path / "mine.toml").write_text("effect = 'toy'\n[toy]\ndimness = 0.75\n")
    (effect,) = job_settings(read_preset(str(tmp_path / "mine.toml")).values, input="a").effects
    assert effect.dimness == 0.75
    (tmp_path / "mine.toml").write_text("effect = 'toy'\n[toy]\ndimnes = 0.75\n")
    with pytest.raises(ConfigurationError, match="did you mean 'dimness'"):
        read_preset(str(tmp_path / "mine.toml"))


def test_among_the_live_controls():
    controls = Controls().changed({"effect": "toy", "toy.dimness": 0.1})
    assert controls.effects() == (ToyOptions(dimness=0.1),)
    assert controls.as_message()["toy.dimness"] == 0.1
    with pytest.raises(ConfigurationError, match="between 0 and 1, got 3"):
        controls.changed({"toy.dimness": 3})


def test_in_the_schema_that_the_page_makes_its_form_of():
    from stream.live.server.app import options

    (toy,) = (one for one in options(Controls())["effects"] if one["name"] == "toy")
    assert toy["schema"]["properties"]["dimness"] == {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "title": "Dimness",
        "default": 0.25,
        "description": "How dark it gets.",
        "x-live": True,
        "x-step": 0.05,
        "x-unit": "f",
    }


def test_in_the_plan(demo_clip, capsys):
    from stream.cli.console import print_plan

    print_plan(job_settings({"effect": "toy:0.5"}, input=str(demo_clip)))
    assert "toy       dimness 0.5\n" in capsys.readouterr().out


def test_in_the_documentation():
    from docs.options_page import options_page

    assert "| `dimness` | `--dimness` | 0 to 1 | 0.25 f | How dark it gets. *Live.* |" in options_page()


def test_in_the_frame(demo_clip, tmp_path):
    from stream import Job

    def means(effect):
        with Job(job_settings({"effect": effect}, input=str(demo_clip))) as job:
            return [step.frame.luma.mean() for step in job]

    plain, dark = means("none"), means("toy:0.5")
    assert len(plain) == len(dark) == 50
    assert all(d == pytest.approx(p / 2, abs=1) for p, d in zip(plain, dark, strict=True))
