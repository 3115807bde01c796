"""Average the weights of runs of one style net, which trade strength of style for steadiness: a net in between.

    python -m training.style.soup --runs runs/style_a runs/style_b --parts 0.5 0.5 --run runs/style_fast

Works where the runs started from one net (Wortsman et al. 2022, "Model soups"). Leaves a run folder that
``training.style.export`` takes: the settings of the last run, the records of all as ``soup``, and their epochs one
after the other. Nothing is measured here: ``training.evaluate style`` does that.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from emocolor.errors import ConfigurationError, EmocolorError

from ..emotion.soup import averaged, checked_parts, join_epochs
from ..records import facts_of_machine, write_json
from ..run_folder import save_checkpoint
from .candidates import net_of_run
from .plots import draw_curves


def average_style_runs(runs: Sequence[Path], parts: Sequence[float], run: Path) -> None:
    """Write the run folder of the average; ``parts`` are the runs' weights and add up to 1.

    Raises ``ConfigurationError`` where the runs are not finished, or are not of one net, one start and the same
    paintings.
    """
    checked_parts(runs, parts, run)
    recipes, nets = zip(*map(net_of_run, runs), strict=True)
    for what in ("net", "start", "styles"):
        if len({str(asdict(recipe)[what]) for recipe in recipes}) > 1:
            raise ConfigurationError(f"The runs {', '.join(str(one) for one in runs)} differ in {what}.")
    configs = [json.loads((one / "config.json").read_text()) for one in runs]
    soup = [{"run": one.name, "part": part, **config} for one, part, config in zip(runs, parts, configs, strict=True)]
    state = averaged([net.state_dict() for net in nets], parts)
    run.mkdir(parents=True)
    write_json(run / "config.json", configs[-1] | {"machine": facts_of_machine(), "soup": soup})
    join_epochs(runs, run / "epochs.csv")
    save_checkpoint(run, {"net": state, "epoch": recipes[-1].epochs})
    draw_curves(run)
    write_json(run / "final.json", {"soup": {one.name: part for one, part in zip(runs, parts, strict=True)}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="finished run folders of one net")
    parser.add_argument("--parts", type=float, nargs="+", required=True, help="weight of each run, adding up to 1")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    arguments = parser.parse_args()
    try:
        average_style_runs(arguments.runs, arguments.parts, arguments.run)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
