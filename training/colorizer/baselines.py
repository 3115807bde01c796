"""What nothing learnt reaches on a set of photos, for the table of colorizers in ``training/README.md``.

python -m training.colorizer.baselines --images val.tar --out training/results/colorizer/baselines.json
"""

import argparse
from pathlib import Path

from emocolor.errors import EmocolorError

from ..records import write_json
from .evaluate import ColorizerEvalConfig, evaluate_colorizer

BASELINES = ("gray", "mean", "intensity", "turbo", "jet", "hot", "viridis")
"""Gray, the photos' mean colour, S1's intensity rules, and the maps of OpenCV that it names."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args()
    try:
        found = {
            name: evaluate_colorizer(ColorizerEvalConfig(images=tuple(arguments.images), baseline=name))
            for name in BASELINES
        }
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    write_json(arguments.out, found)
    for name, row in found.items():
        print(name, row)


if __name__ == "__main__":
    main()
