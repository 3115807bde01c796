"""Command-line parameters made from the option declarations, and the raw values that given ones stand for.

An effect's option is ``--EFFECT-FLAG`` and ``--SHORT``. Where several effects have the same short name, it sets the
option of all of them that are in the chain. An option of an effect that is not in the chain is an error.
"""

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from emocolor.effects import EFFECTS
from emocolor.effects.chain import names_in
from emocolor.errors import ConfigurationError
from emocolor.options import Option, Options, options_of

from ..settings import CATALOGS, DEFAULT_CHAIN, SECTIONS, JobSettings, RawValues, layered
from .messages import say

SHARED: Final = "Effects"
PANELS: Final[dict[str, str]] = {
    "": "Running",
    "analysis": "Faces and emotion",
    "smoothing": "Faces and emotion",
    "restoration": "Restoration",
    "input": "Input and output",
    "output": "Input and output",
    "pieces": "Running",
    "live": "Live",
    "server": "Server",
}
"""Panels of the help, by section; each effect has its own."""
NAMED_OPTION: Final = re.compile(r"\b[Tt]he option (?P<key>[a-z_]+\.[a-z_]+)")
"""How messages of the library name an option."""
CHAIN_HELP: Final = "Effects, one after the other: {effects}, MODULE:CLASS of your own, or none."


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A parameter of a command, and the options that it sets."""

    parameter: inspect.Parameter
    options: tuple[Option, ...]
    """Several where effects share a short name."""
    spelling: str
    """As it is typed, dashes included."""
    deprecated: str = ""
    """The flag to use instead, where this one is a former name."""

    @property
    def effects(self) -> tuple[str, ...]:
        """The effects whose options it sets; none where the options are no effect's."""
        return tuple(option.section for option in self.options if option.section in EFFECTS)


def flags_for(groups: Iterable[type[Options]], only: Collection[str] = ()) -> list[Flag]:
    """A flag for every option of these groups and of all effects.

    Of groups that ``only`` has keys of, ``section.option``, just those options.
    """
    of_effects = [option for entry in EFFECTS.values() for option in options_of(entry.options)]
    by_short: dict[str, list[Option]] = defaultdict(list)
    for option in of_effects:
        by_short[option.short].append(option)
    flags = [
        _flag(options, SHARED, [f"--{short}"], _shared_help(options))
        for short, options in by_short.items()
        if short and len(options) > 1
    ]
    for option in of_effects:
        alone = option.short and len(by_short[option.short]) == 1
        spellings = [*([f"--{option.short}"] if alone else []), f"--{option.section}-{option.flag}"]
        flags.append(_flag([option], f"Effect {option.section}", spellings, _help(option)))
    narrowed = {key.partition(".")[0] for key in only}
    for option in (option for group in groups for option in options_of(group)):
        if option.section not in narrowed or option.key in only:
            flags.append(_flag([option], PANELS[option.section], [f"--{option.flag}"], _help(option)))
    return [one for flag in flags for one in (flag, *_former_names(flag))]


def given(flags: Sequence[Flag], arguments: Mapping[str, Any], chain: str) -> dict[str, Any]:
    """Raw values of the flags that were passed, for a chain of effects.

    Raises ``ConfigurationError`` for an option of effects that are not in the chain; warns of former names.
    """
    in_chain = names_in(chain)
    shared: dict[str, Any] = {}
    exact: dict[str, Any] = {}
    for flag in flags:
        value = arguments[flag.parameter.name]
        if value is None:
            continue
        if flag.deprecated:
            say(f"warning: {flag.spelling} is now called {flag.deprecated}.")
        targets = [one for one in flag.options if one.section not in EFFECTS or one.section in in_chain]
        if not targets:
            raise ConfigurationError(_not_in_chain(flag, chain))
        layer = shared if len(flag.options) > 1 else exact
        for option in targets:
            within = layer.setdefault(option.section, {}) if option.section else layer
            within[option.name] = _typed(option, value)
    return layered(shared, exact)


def with_flags(message: str) -> str:
    """A message of the library with the flag of each option that it names by its key, ``the option output.crf``."""

    def flag_of(found: re.Match[str]) -> str:
        return spellings.get(found["key"], found[0])

    if not NAMED_OPTION.search(message):
        return message
    flags = flags_for([JobSettings, *SECTIONS.values()])
    spellings = {flag.options[0].key: flag.spelling for flag in flags if len(flag.options) == 1 and not flag.deprecated}
    return NAMED_OPTION.sub(flag_of, message)


def _typed(option: Option, value: Any) -> Any:
    """The value as TOML has it; raises ``ConfigurationError`` for a number that is none."""
    if option.base not in (int, float) or option.form.parse is not None or not isinstance(value, str):
        return value
    try:
        return option.base(value)
    except ValueError:
        raise option.error(value) from None


def with_parameters(
    command: Callable[..., None], named: Callable[..., Any], parameters: Iterable[inspect.Parameter]
) -> Callable[..., None]:
    """``command``, which takes all by name, with the signature that typer reads, and the name and help of ``named``."""

    def wrapper(**arguments: Any) -> None:
        command(**arguments)

    # Arguments without a default must come first.
    ordered = sorted(parameters, key=lambda one: one.default is not inspect.Parameter.empty)
    wrapper.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    wrapper.__doc__, wrapper.__name__ = named.__doc__, named.__name__
    return wrapper


def parameters_of(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """The parameters that ``function`` declares itself, but for ``**arguments``, by name only."""
    signature = inspect.signature(function, eval_str=True)
    return [
        one.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for one in signature.parameters.values()
        if one.kind is not inspect.Parameter.VAR_KEYWORD
    ]


def chain_parameter(default: str = DEFAULT_CHAIN) -> inspect.Parameter:
    """``--effect``, the chain."""
    spelled = ", ".join(f"{name}[:{entry.main.upper()}]" if entry.main else name for name, entry in EFFECTS.items())
    info = typer.Option(
        "--effect",
        metavar="EFFECT[:VALUE][,...]",
        rich_help_panel=SHARED,
        help=f"{CHAIN_HELP.format(effects=spelled)} Default: {default}.",
        show_default=False,
    )
    return _parameter("effect", Annotated[str | None, info])


def _flag(options: Sequence[Option], panel: str, spellings: Sequence[str], help: str) -> Flag:
    option, is_switch = options[0], options[0].base is bool
    names = [f"{one}/--no-{one.removeprefix('--')}" if is_switch else one for one in dict.fromkeys(spellings)]
    if option.cli.letter:
        names.append(f"-{option.cli.letter}")
    kind: Any = bool if is_switch else str  # numbers are read here, so that what is wrong with one takes one line
    choices = dict.fromkeys(choice for one in options for choice in one.choices)
    info = typer.Option(
        *names,
        metavar=None if is_switch else option.cli.metavar or "|".join(choices) or _span(option) or None,
        rich_help_panel=panel,
        help=help,
        show_default=False,
    )
    return Flag(
        parameter=_parameter(_name_of(spellings[-1]), Annotated[kind | None, info]),
        options=tuple(options),
        spelling=spellings[0],
    )


def _former_names(flag: Flag) -> list[Flag]:
    """Hidden flags for the names that the option had before."""
    if len(flag.options) > 1:
        return []
    kind = flag.parameter.annotation.__origin__
    return [
        Flag(
            parameter=_parameter(
                _name_of(f"--former-{alias}"), Annotated[kind, typer.Option(f"--{alias}", hidden=True)]
            ),
            options=flag.options,
            spelling=f"--{alias}",
            deprecated=flag.spelling,
        )
        for alias in flag.options[0].cli.aliases
    ]


def _name_of(spelling: str) -> str:
    """A parameter's name: ``option_`` before it keeps it apart from the command's own."""
    return f"option_{spelling.removeprefix('--').replace('-', '_')}"


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _help(option: Option) -> str:
    ships = f" Shipped: {', '.join(CATALOGS[option.catalog]())}." if option.catalog else ""
    unit = f" {option.unit}" if option.unit else ""
    default = "" if option.default is None else f" Default: {option.text(option.default)}{unit}."
    return f"{option.help}{ships}{default}"


def _span(option: Option) -> str:
    """The bounds of a number, as ``0..1``."""
    low, high = option.bounds.get("ge", option.bounds.get("gt")), option.bounds.get("le", option.bounds.get("lt"))
    return f"{low:g}..{high:g}" if low is not None and high is not None else ""


def _shared_help(options: Sequence[Option]) -> str:
    names = [f"--{option.section}-{option.flag}" for option in options]
    return f"Sets {', '.join(names[:-1])} and {names[-1]}, where the effect is in the chain."


def _not_in_chain(flag: Flag, chain: str) -> str:
    *others, last = flag.effects
    effects = f"{', '.join(others)} and {last}" if others else last
    which = "none of which is" if others else "which is not"
    return (
        f"{flag.spelling} is an option of {effects}, {which} in the chain '{chain}'. "
        f"Add it with --effect, or leave {flag.spelling} out."
    )


def chain_in(*layers: RawValues) -> str:
    """The chain that the last of these layers with one names."""
    return str(layered({"effect": DEFAULT_CHAIN}, *layers)["effect"])
