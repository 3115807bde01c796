"""The page's files, as text: whole, without anything from elsewhere, and without a way for text to become markup."""

import re
from pathlib import Path

import pytest

import stream.live

PAGE = Path(stream.live.__file__).parent / "page"
SCRIPTS = {path.name: path.read_text() for path in PAGE.glob("*.js")}
INDEX = (PAGE / "index.html").read_text()
STYLE = (PAGE / "style.css").read_text()


def reachable_from(name):
    """The scripts that a browser loads for this one."""
    found, waiting = set(), [name]
    while waiting:
        script = waiting.pop()
        if script not in found:
            found.add(script)
            waiting += re.findall(r'from "\./([a-z_]+\.js)"', SCRIPTS[script])
    return found


def test_all_files_are_there_and_used():
    used = set(re.findall(r'(?:src|href)="static/([^"]+)"', INDEX))
    assert {"app.js", "style.css", "icon.svg"} == used
    assert used | reachable_from("app.js") | {"index.html"} == {path.name for path in PAGE.iterdir()}


def test_nothing_is_inline():
    """What ``script-src 'self'; style-src 'self'`` forbids."""
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", INDEX)
    assert not any(re.search(r"setAttribute\(.style|\beval\b|new Function", text) for text in SCRIPTS.values())


def test_nothing_comes_from_elsewhere():
    for text in (INDEX, STYLE, *SCRIPTS.values()):
        assert not re.search(r"https?://|url\(|@import|//[a-z]+\.", text)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_text_never_becomes_markup(name):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML", SCRIPTS[name])


def test_every_id_that_scripts_look_for_is_there():
    wanted = {
        found for text in SCRIPTS.values() for found in re.findall(r'(?:find|getElementById)\("([\w-]+)"\)', text)
    }
    wanted |= {found for text in SCRIPTS.values() for found in re.findall(r'querySelector\("#([\w-]+)"\)', text)}
    there = re.findall(r'\sid="([\w-]+)"', INDEX)
    assert len(there) == len(set(there))
    assert wanted
    assert wanted <= set(there)
