"""The documentation is true: its commands run, its paths exist, and it builds without a warning or a foreign host."""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (*DOCS.rglob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md")
}
COMMANDS = [
    (page, line.split("#")[0].strip())
    for page, text in PAGES.items()
    for line in text.splitlines()
    if re.match(r"    emocolor-stream (remaster )?(input|film)", line)
]
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}


@pytest.fixture
def folder(demo_clip, tmp_path):
    for name in ("film.mkv", "film.mp4"):
        shutil.copy(demo_clip, tmp_path / name)
    return tmp_path


def test_commands_were_found():
    assert len(COMMANDS) >= 7


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_is_understood(page, command, folder):
    words = shlex.split(command)[1:]
    done = subprocess.run(
        [sys.executable, "-m", "stream.cli", *words, *([] if "--dry-run" in words else ["--dry-run"])],
        cwd=folder, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_library_example_runs(folder):
    (example,) = re.findall(r"```python\n(.*?)```", PAGES["docs/index.md"], re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=folder, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 50
    assert (folder / "out.mkv").exists()


@pytest.mark.parametrize("page", PAGES)
def test_every_path_exists(page):
    """What stands in backquotes and looks like a path of ours is one; in SECURITY.md, below stream/live."""
    named = re.findall(r"`([\w./]+/[\w.]*|[\w/]+\.(?:py|md|toml|txt|js))`", PAGES[page])
    known = [ROOT, ROOT / "stream" / "live"]
    gone = [
        name
        for name in named
        if not re.search("[A-Z]{4}", name)  # NAME and KIND stand for something
        and name.split("/")[0] not in ("demo", "site", ".venv")
        and not any((base / name).exists() for base in known)
    ]
    assert gone == []


def test_contributing_names_every_target_of_make():
    targets = re.findall(r"^    make (\w+)", PAGES["CONTRIBUTING.md"], re.MULTILINE)
    rules = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(targets) <= set(rules)


def test_the_option_in_contributing_is_declared_so():
    from dataclasses import dataclass
    from typing import Annotated, ClassVar

    from emocolor.options import EffectOptions, option, options_of

    (field,) = re.findall(r"```python\n(.*?)```", PAGES["CONTRIBUTING.md"], re.DOTALL)
    names = {"EffectOptions": EffectOptions, "Annotated": Annotated, "ClassVar": ClassVar, "option": option}
    exec(f"class DimOptions(EffectOptions):\n    section: ClassVar[str] = 'dim'\n    {field}", names)
    (declared,) = options_of(dataclass(frozen=True, kw_only=True)(names["DimOptions"]))
    assert (declared.key, declared.default, declared.live) == ("dim.strength", 0.5, True)


def test_the_options_page_is_up_to_date():
    from docs.options_page import options_page

    assert PAGES["docs/options.md"] == options_page(), "run: python -m docs.options_page"


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="the extra 'docs' is not installed")
@pytest.mark.timeout(300)
def test_the_site_builds_without_warnings_and_loads_nothing_from_elsewhere(tmp_path):
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    pages = list(site.rglob("*.html"))
    assert len(pages) >= 9
    for page in pages:
        html = page.read_text()
        loaded = re.findall(r"<(?:script|img|iframe|source|video)[^>]* src=\"?([^\" >]+)", html)
        loaded += re.findall(
            r"<link[^>]* rel=\"?(?:stylesheet|icon|preload|preconnect)\"?[^>]* href=\"?([^\" >]+)", html
        )
        loaded += re.findall(
            r"<link[^>]* href=\"?([^\" >]+)\"?[^>]* rel=\"?(?:stylesheet|icon|preload|preconnect)", html
        )
        assert [address for address in loaded if re.match(r"(https?:)?//", address)] == [], page
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text()) == [], style
    _check_public_names((site / "objects.inv").read_bytes())


def _check_public_names(inventory: bytes) -> None:
    """Every public name of the packages has its place in the reference."""
    import emocolor
    import engines
    import stream

    header_end = [match.end() for match in re.finditer(rb"\n", inventory)][3]
    listed = {line.split()[0].decode() for line in zlib.decompress(inventory[header_end:]).splitlines()}
    for package in (emocolor, engines, stream):
        missing = [name for name in package.__all__ if not any(one.endswith(f".{name}") for one in listed)]
        assert missing == [], f"{package.__name__}: {missing}"
