"""Every command that a page, a recipe, a card or a docstring shows exists and takes the options shown."""

import re
import runpy
import sys
import warnings
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed; training needs it")
pytest.importorskip("matplotlib", reason="matplotlib is not installed; training draws with it")

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "training" / "README.md", ROOT / "engines" / "README.md"]
SOURCES = [
    *PAGES,
    *(ROOT / "docs").rglob("*.md"),
    *ROOT.glob("CONTRIBUTING.md"),
    *(ROOT / "configs" / "training").glob("*.toml"),
    *(ROOT / "engines" / "weights").rglob("*.md"),
    *(ROOT / "training").rglob("*.py"),
    *(ROOT / "engines").rglob("*.py"),
    *(ROOT / "emocolor").rglob("*.py"),
    *(ROOT / "tests" / "training").rglob("*.py"),
]
COMMAND = re.compile(r"python -m (training[\w.]*)((?:[^\n`\\]|\\\n|\\\\\n)*)")
NAME = re.compile(r"`(training\.[\w.]*\w)")


def commands():
    """Options by module and, of ``evaluate``, by kind of net."""
    found = defaultdict(set)
    for path in SOURCES:
        for module, rest in COMMAND.findall(path.read_text(encoding="utf-8")):
            kind = re.match(r" (emotion|colorizer|video|style)\b", rest) if module == "training.evaluate" else None
            options = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", rest)) if path.suffix != ".py" else set()
            found[module.rstrip("."), kind[1] if kind else None] |= options
    return dict(found)


COMMANDS = commands()


def test_commands_were_found():
    modules = {module for module, _ in COMMANDS}
    assert {"training.emotion", "training.colorizer", "training.style", "training.evaluate", "training.card"} <= modules
    assert len(modules) >= 20


@pytest.mark.parametrize(("module", "kind"), sorted(COMMANDS, key=str))
def test_help_works_and_names_the_options(module, kind, monkeypatch, capsys):
    assert find_spec(module), f"there is no module {module}"
    monkeypatch.setattr(sys, "argv", [module, *([kind] if kind else []), "--help"])
    with pytest.raises(SystemExit) as ended:
        run(module)
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert not {option for option in COMMANDS[module, kind] if option not in told}


def run(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of runpy, where the module is imported already
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def test_modules_that_are_named_exist():
    named = {(path, name) for path in SOURCES for name in NAME.findall(path.read_text(encoding="utf-8"))}
    assert len(named) > 40
    assert not {f"{path.relative_to(ROOT)} names {name}" for path, name in named if not _exists(name)}


def _exists(name):
    """A module, or a name in one."""
    parts = name.split(".")
    for count in range(len(parts), 1, -1):
        place = ROOT.joinpath(*parts[:count])
        if place.is_dir() or place.with_suffix(".py").exists():
            text = "" if place.is_dir() else place.with_suffix(".py").read_text()
            rest = parts[count:]
            return not rest or re.search(rf"^(def|class) {rest[0]}\b|^{rest[0]}\b", text, re.MULTILINE) is not None
    return False
