"""Results as JSON files, and what has to stand beside them: machine, versions, checksums, settings. Needs no torch."""

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emocolor.errors import ConfigurationError

JsonObject = dict[str, Any]


def machine_info() -> JsonObject:
    """Commit, versions, CPU model and number of logical cores."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, check=False
    )
    return {
        "commit": git.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "torch": _version("torch"),
        "openvino": _version("openvino"),
        "device": _cpu_model(),
        "threads": os.cpu_count(),
    }


def sha256_of(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: JsonObject) -> None:
    """Write indented JSON; lists of plain values stay on one line."""
    text = re.sub(r"\[[^][{}]*\]", lambda found: _one_line(found[0]), json.dumps(value, indent=2))
    path.write_text(text + "\n")


def read_json(path: Path) -> JsonObject:
    """Read what a script wrote; raises ``ConfigurationError`` where it has not been run yet."""
    try:
        found: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}. Run the script that writes it first."
        ) from error
    return found


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """A run's settings in one line, without those that are off."""
    return ", ".join(f"{key} {_value_in_words(value)}" for key, value in _active(settings).items())


def _active(settings: Mapping[str, Any]) -> JsonObject:
    """The settings that are on and do not depend on one that is off."""
    needs = {"teacher_part": "teachers", "teacher_temperature": "teachers", "balance_degrees": "balance_to"}
    return {
        key: value
        for key, value in settings.items()
        if value not in (None, "", [], 0.0, False) and (key not in needs or settings[needs[key]])
    }


def _value_in_words(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{k} {_value_in_words(v)}" for k, v in value.items() if v not in (0.0, False)) + ")"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("[ ", "[").replace(" ]", "]")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
