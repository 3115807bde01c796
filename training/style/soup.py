"""Average the weights of runs of one style net, for a compromise of stylization strength and temporal consistency.

    python -m training.style.soup --runs runs/style_a runs/style_b --parts 0.5 0.5 --run runs/style_fast

Works where the runs started from the same net (Wortsman et al. 2022, "Model soups"). Writes a run folder that
``training.style.export`` takes: the settings of the last run, the records of all as ``soup``, and their epochs
concatenated. ``training.evaluate style`` measures it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from emocolor.errors import ConfigurationError, EmocolorError

from ..averaging import averaged_config, averaged_state, check_parts, join_epochs
from ..records import write_json
from ..run_folder import CONFIG, FINAL, draw_curves, save_checkpoint
from .nets import net_of_run
from .train import CURVES


def average_runs(runs: Sequence[Path], parts: Sequence[float], run: Path) -> None:
    """Write the run folder of the average; ``parts`` are the runs' weights and add up to 1.

    Raises ``ConfigurationError`` where the runs are not finished, or differ in net, start or paintings.
    """
    check_parts(runs, parts, run)
    recipes, nets = zip(*map(net_of_run, runs), strict=True)
    for what in ("net", "start", "styles"):
        if len({str(asdict(recipe)[what]) for recipe in recipes}) > 1:
            raise ConfigurationError(f"The runs {', '.join(map(str, runs))} differ in {what}.")
    config = averaged_config(runs, parts)
    state = averaged_state([net.state_dict() for net in nets], parts)
    run.mkdir(parents=True)
    write_json(run / CONFIG, config)
    join_epochs(runs, run)
    save_checkpoint(run, {"net": state, "epoch": recipes[-1].epochs})
    draw_curves(run, CURVES)
    write_json(run / FINAL, {"soup": {one.name: part for one, part in zip(runs, parts, strict=True)}})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="finished run folders of one net")
    parser.add_argument("--parts", type=float, nargs="+", required=True, help="weight of each run, adding up to 1")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    arguments = parser.parse_args(argv)
    try:
        average_runs(arguments.runs, arguments.parts, arguments.run)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
