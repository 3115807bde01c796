"""Command-line parameters, made from the option declarations."""

import inspect
from pathlib import Path
from typing import get_args

import pytest

from emocolor.effects import EFFECTS
from emocolor.errors import ConfigurationError
from emocolor.options import options_of
from stream.cli.parameters import (
    NAMED_OPTION,
    Flag,
    chain_in,
    chain_parameter,
    flags_for,
    given,
    parameters_of,
    with_flags,
    with_parameters,
)
from stream.settings import FILE_GROUPS, AnalysisOptions, SinkOptions


@pytest.fixture(scope="module")
def flags() -> list[Flag]:
    return flags_for(FILE_GROUPS)


def spellings(flag: Flag) -> list[str]:
    """All names of a flag, former ones included, without what switches it off."""
    info = get_args(flag.parameter.annotation)[1]
    return [name.split("/")[0] for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]


def passed(flags, chain="tint", **values):
    """Raw values for these spellings, dashes as underscores."""
    by_spelling = {name: flag for flag in flags for name in spellings(flag)}
    arguments = {flag.parameter.name: None for flag in flags}
    for name, value in values.items():
        arguments[by_spelling[f"--{name.replace('_', '-')}"].parameter.name] = value
    return given(flags, arguments, chain)


def test_every_option_has_a_flag_and_every_flag_its_own_spelling(flags):
    keys = {option.key for flag in flags for option in flag.options}
    declared = [
        option for group in (*FILE_GROUPS, *(one.options for one in EFFECTS.values())) for option in options_of(group)
    ]
    assert keys == {option.key for option in declared}
    every = [name for flag in flags for name in spellings(flag)]
    assert len(every) == len(set(every))
    assert len({flag.parameter.name for flag in flags}) == len(flags)


def test_an_option_belongs_to_its_section(flags):
    assert passed(flags, passes="3", crf="20", device="cpu") == {
        "analysis": {"passes": 3},
        "output": {"crf": 20.0},
        "device": "cpu",
    }
    assert passed(flags, alpha="0.5") == passed(flags, tint_alpha="0.5") == {"tint": {"alpha": 0.5}}
    assert passed(flags, deflicker=True) == {"restoration": {"deflicker": True}}


def test_a_shared_name_sets_the_option_of_all_in_the_chain(flags):
    assert passed(flags, "tint,style", region="face") == {"tint": {"region": "face"}, "style": {"region": "face"}}
    assert passed(flags, "tint,grade", strength="1") == {"grade": {"strength": 1.0}}
    found = passed(flags, "tint,style", region="face", style_region="frame")
    assert found == {"tint": {"region": "face"}, "style": {"region": "frame"}}, "the exact name counts more"


@pytest.mark.parametrize(
    ("chain", "values", "words"),
    [
        (
            "grade",
            {"alpha": "1"},
            "--alpha is an option of tint, which is not in the chain 'grade'. Add it with --effect",
        ),
        ("tint", {"strength": "1"}, "--strength is an option of grade, style and colormap, none of which is in"),
        ("none", {"style_size": "90"}, "--style-size is an option of style"),
        ("tint", {"alpha": "much"}, "tint alpha must be a number between 0 and 1, got 'much'"),
        ("tint", {"passes": "2.5"}, "analysis passes must be a whole number between 0 and 1000, got '2.5'"),
    ],
)
def test_what_cannot_be_is_named(flags, chain, values, words):
    with pytest.raises(ConfigurationError) as caught:
        passed(flags, chain, **values)
    assert words in str(caught.value)


def test_a_former_name_works_and_names_the_new_one(flags, capsys):
    assert passed(flags, "colorize", color_rate="6") == {"colorize": {"rate_hz": 6.0}}
    assert capsys.readouterr().err == "warning: --color-rate is now called --colorize-rate.\n"
    former = [flag for flag in flags if flag.deprecated]
    assert {flag.spelling for flag in former} == {"--color-rate", "--colorizer"}
    assert all(get_args(flag.parameter.annotation)[1].hidden for flag in former)


def test_only_some_options_of_a_group(flags):
    found = flags_for([AnalysisOptions, SinkOptions], only=("output.crf",))
    general = {option.key for flag in found if not flag.effects for option in flag.options}
    assert general == {"output.crf", *(f"analysis.{option.name}" for option in options_of(AnalysisOptions))}


def test_help_has_bounds_choices_defaults_and_what_ships(flags):
    infos = {name: get_args(flag.parameter.annotation)[1] for flag in flags for name in spellings(flag)}
    assert infos["--alpha"].metavar == "0..1"
    assert infos["--alpha"].help == "Weight of the colour in the blend. Default: 0.35."
    assert infos["--tint-region"].metavar == "frame|face|person|background"
    assert infos["--region"].metavar == "frame|face|person|background|keep-face"
    assert "Shipped: ours, s0, tiny." in infos["--net"].help
    assert infos["--rate"].help.endswith("Default: 8 Hz.")


def test_the_chain_is_that_of_the_last_layer():
    assert chain_in({}) == "tint"
    assert chain_in({"effect": "grade"}, {"tint": {}}) == "grade"
    assert "tint[:ALPHA]" in get_args(chain_parameter().annotation)[1].help


def test_a_command_gets_the_signature_that_typer_reads():
    def command(*, needed: str, **others):
        """Do it."""
        seen.update(others, needed=needed)

    seen: dict[str, object] = {}
    made = with_parameters(command, command, [chain_parameter(), *parameters_of(command)])
    assert list(inspect.signature(made).parameters) == ["needed", "effect"]
    assert (made.__name__, made.__doc__) == ("command", "Do it.")
    made(needed="a", effect="tint")
    assert seen == {"needed": "a", "effect": "tint"}


def test_options_that_messages_name_by_key_are_shown_as_flags():
    assert (
        with_flags("a.mp4 exists. The option output.overwrite replaces it.") == "a.mp4 exists. --overwrite replaces it."
    )
    assert with_flags("Set the option input.format, or the option output.preset.") == (
        "Set --input-format, or --encoder-preset."
    )
    assert with_flags("Leave the option no.such out.") == "Leave the option no.such out."


def test_every_option_that_a_message_names_exists():
    """A key with a wrong section or name would reach users as it stands."""
    root = Path(__file__).parents[3]
    named = {
        found[0]
        for package in ("emocolor", "engines", "stream")
        for path in (root / package).rglob("*.py")
        if path.parent.name != "cli"
        for found in NAMED_OPTION.finditer(path.read_text())
    }
    assert len(named) >= 6
    assert [one for one in named if not with_flags(one).startswith("--")] == []
