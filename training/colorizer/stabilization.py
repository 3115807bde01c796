"""Temporal stability of a colorizer at several inference rates, for the table in ``training/README.md``.

    python -m training.colorizer.stabilization --clips DIR --out training/results/colorizer/film/video.json

``training.evaluate video`` once for each rate, on the same clips.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emocolor.errors import EmocolorError

from ..records import write_json
from .evaluate_video import VideoEvalConfig, evaluate_video


def with_names(found: dict[str, Any]) -> dict[str, Any]:
    """The same with clips named by their files, wherever they lie."""
    renamed = {part: {Path(path).name: value for path, value in found[part].items()} for part in ("clips", "left_out")}
    return found | renamed


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, nargs="+", required=True, metavar="DIR_OR_FILE")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[3.0, 6.0, 0.0], help="inferences a second, 0 for all"
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="how much of each clip is measured")
    parser.add_argument("--weights", help="a shipped net's name or an ONNX file (default: the net that ships)")
    arguments = parser.parse_args(argv)
    found: dict[str, dict[str, Any]] = {}
    try:
        for rate in arguments.rates:
            config = VideoEvalConfig(
                clips=tuple(arguments.clips), weights=arguments.weights, seconds=arguments.seconds, rate=rate
            )
            found[f"{rate:g}"] = with_names(evaluate_video(config))
            print(rate, found[f"{rate:g}"]["per_frame"], found[f"{rate:g}"]["stabilized"], flush=True)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    write_json(arguments.out, found)


if __name__ == "__main__":
    main()
