"""Keep the records of a run in the repository, so that tables can be made from them.

    python -m training.keep --run runs/s3_expw --name emotion/s3_expw [--plots]

Copies ``config.json``, ``epochs.csv``, ``final.json`` and a colorizer's ``bin_weights.json`` to
``training/results/NAME``, and with ``--plots`` the curves and, of a classifier, the confusion matrix. The export
scripts do it for nets that ship.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from emocolor.errors import EmocolorError

from .run_folder import CONFIG, EPOCHS, FINAL, require_finished

RESULTS = Path(__file__).parent / "results"
"""Where the records behind every number in the documentation are kept."""
BIN_WEIGHTS = "bin_weights.json"
"""Of a colorizer's run: the weight of each bin in the loss."""
PLOTS = ("curves.png", "confusion.png")


def keep_records(run: Path, name: str, *, plots: bool, results: Path = RESULTS) -> None:
    """Copy what a finished run leaves, but for its checkpoint, to ``results / name``."""
    require_finished(run)
    folder = results / name
    folder.mkdir(parents=True, exist_ok=True)
    for record in (CONFIG, EPOCHS, FINAL):
        shutil.copyfile(run / record, folder / record)
    for extra in (BIN_WEIGHTS, *(PLOTS if plots else ())):
        if (run / extra).exists():
            shutil.copyfile(run / extra, folder / extra)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="folder below training/results, such as emotion/s3_expw")
    parser.add_argument("--plots", action="store_true", help="also the curves and the confusion matrix")
    arguments = parser.parse_args(argv)
    try:
        keep_records(arguments.run, arguments.name, plots=arguments.plots)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
