"""The folder a training run leaves: all that is needed to believe, resume or repeat it.

``config.json`` settings, seed, commit, versions, machine and data checksums; ``epochs.csv`` one row per epoch;
``checkpoint.pt`` the state after the last whole epoch, or amid one (read back with ``weights_only``); ``best.pt`` the
weights of the best epoch, in runs that keep it; ``final.json`` the metrics of the finished run; ``curves.png`` the
columns of ``epochs.csv``.
"""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from emocolor.errors import ConfigurationError, SinkError

from .records import JsonObject, machine_info, read_json, write_json

CONFIG = "config.json"
EPOCHS = "epochs.csv"
CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"
FINAL = "final.json"


def open_run(folder: Path, config: JsonObject, *, resume: bool) -> JsonObject | None:
    """Start ``folder``, or return the checkpoint of the run it holds.

    Raises ``ConfigurationError`` if the folder holds another run, naming the settings that differ.
    """
    stored = folder / CONFIG
    if stored.exists():
        _refuse_another_run(folder, json.loads(stored.read_text()), json.loads(json.dumps(config)), resume)
        checkpoint = folder / CHECKPOINT
        return torch.load(checkpoint, weights_only=True) if checkpoint.exists() else None
    folder.mkdir(parents=True, exist_ok=True)
    write_json(stored, config)
    return None


def training_machine(device: torch.device) -> JsonObject:
    """``records.machine_info`` with the GPU, or the threads of torch on the CPU, for ``config.json``."""
    if device.type == "cuda":
        return machine_info() | {"device": torch.cuda.get_device_name(device)}
    return machine_info() | {"threads": torch.get_num_threads()}


def save_checkpoint(folder: Path, state: JsonObject, name: str = CHECKPOINT) -> None:
    """Replace the checkpoint atomically: after a full disk or a kill the old one is still whole.

    Raises ``SinkError`` where it cannot be written.
    """
    fresh = folder / f"{name}.new"
    try:
        with fresh.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, folder / name)
    except (OSError, RuntimeError) as error:  # torch's zip writer turns a full disk into a RuntimeError
        fresh.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error).splitlines()[0]
        raise SinkError(
            f"The checkpoint of epoch {state['epoch']} cannot be written to {folder}: {reason}. The one before it "
            "is kept; make room and pass --resume."
        ) from error


def log_epoch(folder: Path, row: Mapping[str, float]) -> None:
    """Add a row to ``epochs.csv`` and print it; a row that a killed run wrote for the same epoch is replaced."""
    earlier = [r for r in read_epochs(folder) if int(r["epoch"]) < row["epoch"]]
    write_epochs(folder, [*earlier, {k: f"{v:.6g}" for k, v in row.items()}])
    print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)


def read_epochs(folder: Path) -> list[dict[str, str]]:
    """The rows of ``epochs.csv``; none where there is no such file."""
    path = folder / EPOCHS
    return list(csv.DictReader(path.read_text().splitlines())) if path.exists() else []


def write_epochs(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Replace ``epochs.csv``; the columns are those of the last row."""
    with (folder / EPOCHS).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[-1]))
        writer.writeheader()
        writer.writerows(rows)


def require_finished(run: Path) -> None:
    """Raise ``ConfigurationError`` where ``run`` is no folder of a finished run."""
    if not (run / FINAL).exists():
        raise ConfigurationError(f"{run} has no {FINAL}: the run is not finished. Resume it first.")


def finished_config(run: Path) -> JsonObject:
    """``config.json`` of a finished run; raises ``ConfigurationError`` where it is not finished."""
    require_finished(run)
    return read_json(run / CONFIG)


def final_epoch(run: Path) -> int:
    """The epoch of :func:`final_weights`."""
    return int(_final_checkpoint(run)["epoch"])


def final_weights(run: Path) -> dict[str, torch.Tensor]:
    """The evaluated weights of the best epoch where the run keeps it, else of the last checkpoint; on the CPU."""
    state: dict[str, torch.Tensor] = _final_checkpoint(run)["net"]
    return state


def _final_checkpoint(run: Path) -> JsonObject:
    path = run / BEST if (run / BEST).exists() else run / CHECKPOINT
    checkpoint: JsonObject = torch.load(path, map_location="cpu", weights_only=True)
    return checkpoint


class Panel(NamedTuple):
    """One plot of ``curves.png``."""

    label: str
    """Of the vertical axis."""
    lines: Mapping[str, str]
    """Columns of ``epochs.csv`` to draw, with their names in the legend; columns that the run lacks are left out."""
    log: bool = False


def draw_curves(run: Path, panels: Sequence[Panel]) -> None:
    """Draw ``curves.png`` from ``epochs.csv``, a panel beside the other."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = read_epochs(run)
    epochs = [int(row["epoch"]) for row in rows]
    figure, axes_of_panels = plt.subplots(1, len(panels), figsize=(3.8 * len(panels), 3.1), layout="constrained")
    for axes, panel in zip(axes_of_panels, panels, strict=True):
        lines = {column: name for column, name in panel.lines.items() if column in rows[0]}
        for (column, name), shade in zip(lines.items(), ("#333333", "#aaaaaa", "#4477aa"), strict=False):
            axes.plot(epochs, [float(row[column]) for row in rows], color=shade, label=name)
        if any(lines.values()):
            axes.legend(frameon=False, fontsize="small")
        axes.set(xlabel="epoch", ylabel=panel.label, yscale="log" if panel.log else "linear")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(run / "curves.png", dpi=80)
    plt.close(figure)


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
