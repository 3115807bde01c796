"""Figures as files, with the machine and the versions they were measured on. Needs no torch."""

import json
import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emocolor.errors import ConfigurationError

JsonObject = dict[str, Any]


def facts_of_machine() -> JsonObject:
    """Commit, versions, processor and its logical cores, for the record."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, check=False
    )
    return {
        "commit": git.stdout.strip() or "unknown",
        "python": platform.python_version(),
        "torch": _version("torch"),
        "openvino": _version("openvino"),
        "device": _processor(),
        "threads": os.cpu_count(),
    }


def write_json(path: Path, value: JsonObject) -> None:
    """Indented, but for lists of plain values, which stay on one line."""
    text = re.sub(r"\[[^][{}]*\]", lambda found: _one_line(found[0]), json.dumps(value, indent=2))
    path.write_text(text + "\n")


def read_measured(path: Path) -> JsonObject:
    """What a script wrote; raises ``ConfigurationError`` where it was not run yet."""
    try:
        found: JsonObject = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}. Measure it first.") from error
    return found


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text).replace("[ ", "[").replace(" ]", "]")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
