"""The folder a training run leaves: all that is needed to believe, resume or repeat it.

``config.json`` settings, seed, commit, versions, machine and data checksums; ``epochs.csv`` one
row per epoch; ``checkpoint.pt`` the last whole state (read back with ``weights_only``);
``final.json`` the metrics of the finished run.
"""

import csv
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch

from emocolor.errors import ConfigurationError, SinkError

from .records import JsonObject, write_json


def open_run(folder: Path, config: JsonObject, *, resume: bool) -> JsonObject | None:
    """Start ``folder``, or return the checkpoint of the run it holds.

    Raises ``ConfigurationError`` if the folder holds another run, naming the settings that differ.
    """
    stored = folder / "config.json"
    if stored.exists():
        _refuse_another_run(folder, json.loads(stored.read_text()), json.loads(json.dumps(config)), resume)
        checkpoint = folder / "checkpoint.pt"
        return torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None
    folder.mkdir(parents=True, exist_ok=True)
    write_json(stored, config)
    return None


def save_checkpoint(folder: Path, state: JsonObject) -> None:
    """Replace the checkpoint as a whole: a full disk or a kill leaves the old one.

    Raises ``SinkError`` where it cannot be written.
    """
    fresh = folder / "checkpoint.pt.new"
    try:
        with fresh.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, folder / "checkpoint.pt")
    except (OSError, RuntimeError) as error:  # torch's zip writer turns a full disk into a RuntimeError
        fresh.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise SinkError(
            f"The checkpoint of epoch {state['epoch']} cannot be written to {folder}: {reason}. The one before it "
            "is kept; make room and pass --resume."
        ) from error


def append_row(folder: Path, row: Mapping[str, float]) -> None:
    """Add one epoch to ``epochs.csv``; an epoch that a killed run wrote already is replaced."""
    path = folder / "epochs.csv"
    rows = csv.DictReader(path.read_text().splitlines()) if path.exists() else []
    rows = [r for r in rows if int(r["epoch"]) < row["epoch"]]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerows([*rows, {k: f"{v:.6g}" for k, v in row.items()}])


def _refuse_another_run(folder: Path, stored: JsonObject, wanted: JsonObject, resume: bool) -> None:
    if not resume:
        raise ConfigurationError(f"{folder} already holds a run. Pass --resume to go on with it, or another --run.")
    if stored["data"] != wanted["data"]:
        then, now = _flat(stored["data"]), _flat(wanted["data"])
        different = sorted(k for k in then.keys() | now.keys() if then.get(k) != now.get(k))
        raise ConfigurationError(f"{folder} was run on other data ({', '.join(different)}). Use another --run.")
    if stored.get("nets") != wanted.get("nets"):
        raise ConfigurationError(f"{folder} was run with other weights of the nets it builds on. Use another --run.")
    stored, wanted = _flat(stored["settings"]), _flat(wanted["settings"])
    different = sorted(k for k in stored.keys() | wanted.keys() if stored.get(k) != wanted.get(k))
    if different:
        pairs = ", ".join(f"{k} ({stored.get(k)!r} there, {wanted.get(k)!r} now)" for k in different)
        raise ConfigurationError(f"{folder} was run with other settings: {pairs}. Use another --run.")


def _flat(settings: JsonObject) -> JsonObject:
    """Inner tables as ``table.key``."""
    flat: JsonObject = {}
    for key, value in settings.items():
        flat |= {f"{key}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return flat
