"""Average the weights of several runs of one net: one net of the same cost, often better than each.

    python -m training.emotion.soup --runs runs/ours_first runs/ours_second --parts 0.4 0.6 --data fer2013.npz --run runs/ours

Works where the runs lie in one basin, as when each starts from the end of the one before (Wortsman et al.
2022, "Model soups"). Leaves a run folder that ``training.emotion.export`` takes: what the runs were told, their
epochs one after the other, and the metrics of the average. Batch norm's running statistics are averaged too.
"""

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from emocolor.errors import ConfigurationError, EmocolorError

from ..records import facts_of_machine, write_json
from ..run_folder import save_checkpoint
from ..toml_recipe import recipe_from
from .batches import gather
from .export import net_of_run
from .recipe import Settings
from .train import finish


def average_runs(runs: Sequence[Path], parts: Sequence[float], data: Path, run: Path) -> None:
    """Write the run folder of the average; ``parts`` are the runs' weights and add up to 1.

    Raises ``ConfigurationError`` where the runs are not of one net, not finished, or learnt from other data.
    """
    checked_parts(runs, parts, run)
    for one in runs:
        if not (one / "final.json").exists():
            raise ConfigurationError(f"{one} has no final.json: the run is not finished. Resume it first.")
    configs = [json.loads((one / "config.json").read_text()) for one in runs]
    _refuse_strangers(runs, configs)
    nets = [net_of_run(one) for one in runs]
    average = nets[0]
    average.load_state_dict(averaged([net.state_dict() for net in nets], parts))
    run.mkdir(parents=True)
    pairs = zip(runs, parts, configs, strict=True)
    soup = [{"run": one.name, "part": part, **config} for one, part, config in pairs]
    last = configs[-1]
    write_json(run / "config.json", last | {"machine": facts_of_machine(), "soup": soup})
    save_checkpoint(run, {"net": average.state_dict(), "epoch": last["settings"]["epochs"]})
    join_epochs(runs, run / "epochs.csv")
    settings = {key: value for key, value in last["settings"].items() if key != "limit"}
    recipe = recipe_from(Settings, settings, runs[-1] / "config.json")
    finish(run, average, gather(recipe, data, last["settings"]["limit"]))


def checked_parts(runs: Sequence[Path], parts: Sequence[float], run: Path) -> None:
    """Raises ``ConfigurationError`` where the parts do not fit the runs, or ``run`` is there already."""
    if len(runs) != len(parts) or len(runs) < 2 or abs(sum(parts) - 1) > 1e-6:
        raise ConfigurationError("--runs and --parts must be as many, two or more, and the parts add up to 1.")
    if run.exists():
        raise ConfigurationError(f"{run} exists already. Pass another --run.")


def averaged(states: Sequence[dict[str, Tensor]], parts: Sequence[float]) -> dict[str, Tensor]:
    """The weighted mean of state dictionaries; whole numbers are the last one's."""
    return {
        key: sum((state[key] * part for state, part in zip(states, parts, strict=True)), torch.zeros_like(last))
        if last.is_floating_point()
        else last
        for key, last in states[-1].items()
    }


def _refuse_strangers(runs: Sequence[Path], configs: Sequence[dict[str, Any]]) -> None:
    for key in ("net", "labels"):
        if len({config["settings"][key] for config in configs}) > 1:
            raise ConfigurationError(f"The runs {', '.join(str(run) for run in runs)} differ in {key}.")
    if len({config["data"]["sha256"] for config in configs}) > 1:
        raise ConfigurationError(f"The runs {', '.join(str(run) for run in runs)} learnt from other data.")


def join_epochs(runs: Sequence[Path], path: Path) -> None:
    """All rows of the runs' ``epochs.csv``, counted on."""
    rows = [row for run in runs for row in csv.DictReader((run / "epochs.csv").read_text().splitlines())]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"epoch": number} for number, row in enumerate(rows, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="finished run folders of one net")
    parser.add_argument("--parts", type=float, nargs="+", required=True, help="weight of each run, adding up to 1")
    parser.add_argument("--data", type=Path, required=True, help="the npz that they learnt from, to measure on")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    arguments = parser.parse_args()
    try:
        average_runs(arguments.runs, arguments.parts, arguments.data, arguments.run)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    final = json.loads((arguments.run / "final.json").read_text())["held_out"]
    print(json.dumps({name: found["accuracy"] for name, found in final.items()}))


if __name__ == "__main__":
    main()
