"""Averaging the weights of several runs of one net (Wortsman et al. 2022, "Model soups")."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from emocolor.errors import ConfigurationError

from .records import JsonObject, machine_info
from .run_folder import finished_config, read_epochs, write_epochs


def check_parts(runs: Sequence[Path], parts: Sequence[float], run: Path) -> None:
    """Raise ``ConfigurationError`` where the parts do not fit the runs, or ``run`` exists already."""
    if len(runs) != len(parts) or len(runs) < 2 or abs(sum(parts) - 1) > 1e-6:
        raise ConfigurationError(
            "There must be two runs or more, one part for each, and the parts must add up to 1; got "
            f"{len(runs)} runs and the parts {', '.join(f'{part:g}' for part in parts)}."
        )
    if run.exists():
        raise ConfigurationError(f"{run} exists already. Pass another --run.")


def averaged_state(states: Sequence[dict[str, Tensor]], parts: Sequence[float]) -> dict[str, Tensor]:
    """The weighted mean of state dictionaries, running statistics included; integers are those of the last."""
    return {
        key: sum((state[key] * part for state, part in zip(states, parts, strict=True)), torch.zeros_like(last))
        if last.is_floating_point()
        else last
        for key, last in states[-1].items()
    }


def averaged_config(runs: Sequence[Path], parts: Sequence[float]) -> JsonObject:
    """``config.json`` of the average: that of the last run, with the records of all as ``soup``.

    Raises ``ConfigurationError`` where a run is not finished.
    """
    configs = [finished_config(run) for run in runs]
    soup = [{"run": run.name, "part": part, **config} for run, part, config in zip(runs, parts, configs, strict=True)]
    return configs[-1] | {"machine": machine_info(), "soup": soup}


def join_epochs(runs: Sequence[Path], run: Path) -> None:
    """Write the epochs of all runs to that of the average, numbered consecutively."""
    rows = [row for one in runs for row in read_epochs(one)]
    write_epochs(run, [row | {"epoch": str(number)} for number, row in enumerate(rows, 1)])
