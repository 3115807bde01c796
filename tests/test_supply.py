"""What is installed is what was tried: whole trees are pinned, and inner parts are relied on within bounds alone."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
}
SET_UP = ("dev", "docs", "train", "cluster", "dev-cluster")
"""The extras that ``make`` installs."""
RELIED_ON = ("aiortc", "av", "mediapipe", "openvino")
"""Packages whose inner parts our code knows."""


def asked_for():
    """What ``make`` asks for, and all that comes with it where it is installed here."""
    waiting = [*PROJECT["dependencies"], *(one for extra in SET_UP for one in PROJECT["optional-dependencies"][extra])]
    found = {}
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found[name] = requirement
        try:
            waiting += importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def test_all_that_comes_along_is_pinned():
    assert sorted(asked_for().keys() - PINS.keys()) == []
    assert {"aioice", "cryptography", "pyopenssl", "pylibsrtp", "openvino-telemetry"} <= PINS.keys()


def test_pins_are_within_what_the_project_asks_for():
    extras = PROJECT["optional-dependencies"].values()
    for text in (*PROJECT["dependencies"], *(one for extra in extras for one in extra)):
        requirement = Requirement(text)
        pin = PINS.get(canonicalize_name(requirement.name))
        assert pin is None or pin in requirement.specifier, text


@pytest.mark.parametrize("name", RELIED_ON)
def test_what_is_known_from_inside_stays_below_its_next_minor_release(name):
    (requirement,) = (one for one in map(Requirement, PROJECT["dependencies"]) if one.name == name)
    major, minor = PINS[name].release[:2]
    assert Version(f"{major}.{minor}.99") in requirement.specifier
    assert Version(f"{major}.{minor + 1}") not in requirement.specifier
    assert Version(f"{major + 1}.0") not in requirement.specifier


def test_the_notice_names_what_is_not_permissive():
    """By what the installed packages say of themselves."""
    notice = (ROOT / "NOTICE").read_text()
    for name in asked_for():
        try:
            metadata = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        runs = name in {canonicalize_name(Requirement(one).name) for one in PROJECT["dependencies"]}
        licence = f"{metadata.get('License-Expression')} {metadata.get('License')} {metadata.get_all('Classifier')}"
        if runs and re.search(r"GPL|GNU|Mozilla|MPL", licence):
            assert name in notice, name


def test_the_notice_is_true_of_the_installed_pyav():
    import av

    libraries = {path.name.partition("-")[0] for path in Path(av.__file__).parents[1].glob("av.libs/*")}
    if not libraries:
        pytest.skip("this PyAV was not installed from its wheel")
    assert {"libx264", "libx265"} <= libraries
