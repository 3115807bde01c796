"""Writes ``docs/options.md`` from the declarations of all options: ``python -m docs.options_page``."""

import re
from collections.abc import Iterable
from pathlib import Path

from emocolor.effects import EFFECTS
from emocolor.options import Option, Options, options_of
from stream.cli.parameters import Flag, flags_for
from stream.presets import preset_names, read_preset
from stream.settings import CATALOGS, SECTIONS, JobSettings

PAGE = Path(__file__).parent / "options.md"
INTRODUCTION = """\
# Options

<!-- Written by `python -m docs.options_page` from the declarations in the code. Do not edit. -->

Every option is declared once in the code, and has three names that follow from each other: the flag on the command
line, the key in a preset's TOML file (in the table of its section), and the field of the dataclass in Python. Options
marked *live* can change while a live session runs. A shorter flag in parentheses sets the option in every effect of the
chain that has it.

```toml
effect = "grade:0.8,overlay"   # the chain; a value after a colon sets the effect's main option

[grade]                        # a section
skin = 0.9                     # an option
```
"""


def options_page() -> str:
    """The page in Markdown."""
    flags = [flag for flag in flags_for([JobSettings, *SECTIONS.values()]) if not flag.deprecated]
    effects = [
        _section(name, entry.description + (f" Its main option is `{entry.main}`." if entry.main else ""))
        + _table(entry.options, flags)
        for name, entry in EFFECTS.items()
    ]
    sections = [
        _section(name or "Top level", (group.__doc__ or "").splitlines()[0]) + _table(group, flags)
        for name, group in {"": JobSettings, **SECTIONS}.items()
    ]
    presets = [f"| `{name}` | {read_preset(name).description} |\n" for name in preset_names()]
    return "\n".join(
        [
            INTRODUCTION,
            "## Effects\n",
            *effects,
            "## Everything else\n",
            *sections,
            "## Presets\n\n`--preset NAME` lays one of these under the flags.\n",
            "".join(["| preset | |\n|---|---|\n", *presets]),
            "![Frames of the demo clip under each preset](presets.jpg)\n",
        ]
    )


def _section(name: str, text: str) -> str:
    return f"### {name}\n\n{text}\n\n"


def _table(group: type[Options], flags: Iterable[Flag]) -> str:
    rows = [_row(option, flags) for option in options_of(group)]
    return "".join(["| option | flag | values | default | |\n|---|---|---|---|---|\n", *rows])


def _row(option: Option, flags: Iterable[Flag]) -> str:
    own = [flag.spelling for flag in flags if [one.key for one in flag.options] == [option.key]]
    shared = [flag.spelling for flag in flags if len(flag.options) > 1 and option in flag.options]
    spelled = "".join(f"`{one}`" for one in own) + "".join(f" (`{one}`)" for one in shared)
    unit = f" {option.unit}" if option.unit and option.default is not None else ""
    default = "" if option.default is None else f"{option.text(option.default)}{unit}"
    text = f"{option.help} *Live.*" if option.live else option.help
    cells = (f"`{option.name}`", spelled, _values(option), default, text)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _values(option: Option) -> str:
    if option.catalog:
        return ", ".join([*CATALOGS[option.catalog](), "a file"])
    if option.choices:
        return ", ".join(map(str, option.choices))
    if option.base is bool:
        return "on, off"
    bounds = option.allowed.removeprefix("a number ").removeprefix("a whole number ")
    return option.cli.metavar or re.sub(r"^between (\S+) and (\S+)$", r"\1 to \2", bounds)


if __name__ == "__main__":
    PAGE.write_text(options_page(), encoding="utf-8")
