"""Keep the facts of a run in the repository, so that tables can be made from them.

    python -m training.keep --run runs/s3_expw --name emotion/s3_expw [--pictures]

Copies ``config.json``, ``epochs.csv``, ``final.json`` and a colorizer's ``bin_weights.json`` to
``training/results/NAME``, and with ``--pictures`` the curves and, of a classifier, the confusion matrix. The export
scripts do it for nets that ship.
"""

import argparse
import shutil
from pathlib import Path

from emocolor.errors import ConfigurationError, EmocolorError

RESULTS = Path(__file__).parent / "results"
"""Where the facts of every run whose figures stand in the documentation are kept."""
FACTS = ("config.json", "epochs.csv", "final.json")
BIN_WEIGHTS = "bin_weights.json"
"""Of a colorizer's run: what a pixel of each bin counted in training."""
PICTURES = ("curves.png", "confusion.png")


def keep_facts(run: Path, name: str, *, pictures: bool) -> None:
    """Copy what a finished run leaves, but for its checkpoint, to ``RESULTS / name``."""
    if not (run / "final.json").exists():
        raise ConfigurationError(f"{run} has no final.json: the run is not finished. Resume it first.")
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    for fact in FACTS:
        shutil.copyfile(run / fact, folder / fact)
    for extra in (BIN_WEIGHTS, *(PICTURES if pictures else ())):
        if (run / extra).exists():
            shutil.copyfile(run / extra, folder / extra)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--name", required=True, help="folder below training/results, such as emotion/s3_expw")
    parser.add_argument("--pictures", action="store_true", help="also the curves and the confusion matrix")
    arguments = parser.parse_args()
    try:
        keep_facts(arguments.run, arguments.name, pictures=arguments.pictures)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")


if __name__ == "__main__":
    main()
