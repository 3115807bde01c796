"""Metrics of colorizers without training, for the table of colorizers in ``training/README.md``.

python -m training.colorizer.baselines --images val.tar --out training/results/colorizer/baselines.json
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from emocolor.errors import EmocolorError

from ..records import write_json
from .evaluate import ColorizerEvalConfig, evaluate_colorizer
from .recolorers import BASELINES


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, nargs="+", required=True, metavar="DIR_OR_TAR")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args(argv)
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
