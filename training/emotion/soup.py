"""Average the weights of several runs of one classifier: the cost of one net, and often a better result than each.

    python -m training.emotion.soup --runs runs/ours_first runs/ours_second --parts 0.4 0.6 \
        --data fer2013.npz --run runs/ours

Works where the runs lie in one loss basin, as when each starts from the end of the one before (Wortsman et al. 2022,
"Model soups"). Writes a run folder that ``training.emotion.export`` takes: the records of all runs, their epochs
concatenated, and the metrics of the average. Running statistics of batch norm are averaged too.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from emocolor.errors import ConfigurationError, EmocolorError

from ..averaging import averaged_config, averaged_state, check_parts, join_epochs
from ..records import JsonObject, read_json, write_json
from ..run_folder import CONFIG, FINAL, save_checkpoint
from ..toml_recipe import recipe_from
from .batches import load_data
from .export import net_of_run
from .recipe import EmotionRecipe
from .train import finish


def average_runs(runs: Sequence[Path], parts: Sequence[float], data: Path, run: Path) -> None:
    """Write the run folder of the average; ``parts`` are the runs' weights and add up to 1.

    Raises ``ConfigurationError`` where the runs are not of one net, not finished, or were trained on other data.
    """
    check_parts(runs, parts, run)
    config = averaged_config(runs, parts)
    _refuse_different(config["soup"])
    nets = [net_of_run(one) for one in runs]
    average = nets[-1]
    average.load_state_dict(averaged_state([net.state_dict() for net in nets], parts))
    settings = config["settings"]
    limit = settings["limit"]
    recipe = recipe_from(EmotionRecipe, {k: v for k, v in settings.items() if k != "limit"}, runs[-1] / CONFIG)
    run.mkdir(parents=True)
    write_json(run / CONFIG, config)
    save_checkpoint(run, {"net": average.state_dict(), "epoch": recipe.epochs})
    join_epochs(runs, run)
    finish(run, average, load_data(recipe, data, limit))


def _refuse_different(soup: Sequence[JsonObject]) -> None:
    names = ", ".join(one["run"] for one in soup)
    for key in ("net", "labels"):
        if len({one["settings"][key] for one in soup}) > 1:
            raise ConfigurationError(f"The runs {names} differ in {key}.")
    if len({one["data"]["sha256"] for one in soup}) > 1:
        raise ConfigurationError(f"The runs {names} were trained on different data.")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="finished run folders of one net")
    parser.add_argument("--parts", type=float, nargs="+", required=True, help="weight of each run, adding up to 1")
    parser.add_argument("--data", type=Path, required=True, help="the npz that they were trained on, to measure on")
    parser.add_argument("--run", type=Path, required=True, help="run folder to write")
    arguments = parser.parse_args(argv)
    try:
        average_runs(arguments.runs, arguments.parts, arguments.data, arguments.run)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    final = read_json(arguments.run / FINAL)["held_out"]
    print(json.dumps({name: found["accuracy"] for name, found in final.items()}))


if __name__ == "__main__":
    main()
