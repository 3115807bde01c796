"""Trade-off between accuracy and vividness of a trained colorizer.

    python -m training.colorizer.vividness --run runs/film --images val.tar \
        --out training/results/colorizer/film/vividness.json

Each photo goes through the net once. Its colours are then chosen with every pair of temperature and rebalancing
(:class:`engines.spec.ColorChoice`), upsampled as the effect does it, and measured. The ab error and colourfulness
conflict, so the pairs form a Pareto front; the two ends of the setting vividness are chosen on it
(``training.colorizer.export``).
"""

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from emocolor.arrays import RgbImage
from emocolor.chroma.conversion import luma_of, rgb_of
from emocolor.effects.colorize import colorizer_input_size, fine_chroma
from emocolor.errors import EmocolorError
from engines.nets.annealed import Annealed, annealed_mean
from engines.spec import ColorChoice

from ..data.photos import Photos, center_crop, read_photos
from ..records import write_json
from .export import net_of_run
from .metrics import HUES, ColorizationMetrics
from .train import MEASURED_SIZE, TEMPERATURES

REBALANCINGS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)
SHOWN = ("ab_error", "colorfulness", "psnr", "ssim", "auc", "auc_rebalanced", *(f"recall_{hue}" for hue in HUES))


def measure_choices(net: Annealed, photos: Photos, choices: list[ColorChoice]) -> list[dict[str, float]]:
    """The metrics of ``training.colorizer.metrics`` for each choice, over the central squares of all photos."""
    accumulated = [ColorizationMetrics() for _ in choices]
    for index in range(len(photos)):
        truth = center_crop(photos.photo(index), MEASURED_SIZE)
        for metrics, predicted in zip(accumulated, _colorized(net, truth, choices), strict=True):
            metrics.update(predicted, truth)
    return [metrics.compute() for metrics in accumulated]


@torch.inference_mode()
def _colorized(net: Annealed, truth: RgbImage, choices: list[ColorChoice]) -> list[RgbImage]:
    gray = luma_of(truth)
    size_wh = colorizer_input_size(*gray.shape[::-1])
    small = np.asarray(cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
    levels = gray.astype(np.float32) / np.float32(255)
    logits = net.net(torch.from_numpy(small)[None, None].float() / 255)
    colorized = []
    for choice in choices:
        ab, _ = annealed_mean(net.rebalanced(logits, choice.rebalancing), net.bins, temperature=choice.temperature)
        colorized.append(rgb_of(gray, fine_chroma(levels, small, ab[0].movedim(0, 2).numpy(), "bt601")))
    return colorized


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="photos, folders or tar files")
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    parser.add_argument("--rebalancings", type=float, nargs="+", default=REBALANCINGS)
    parser.add_argument("--first", type=int, help="only this many photos")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args(argv)
    choices = [
        ColorChoice(temperature=temperature, rebalancing=rebalancing)
        for temperature, rebalancing in product(arguments.temperatures, arguments.rebalancings)
    ]
    try:
        photos = read_photos(arguments.images).first(arguments.first)
        found = measure_choices(net_of_run(arguments.run), photos, choices)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    rows: list[dict[str, Any]] = [
        {"temperature": choice.temperature, "rebalancing": choice.rebalancing}
        | {key: row[key] for key in SHOWN if key in row}
        for choice, row in zip(choices, found, strict=True)
    ]
    if arguments.out:
        write_json(arguments.out, {"photos": len(photos), "choices": rows})
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
