"""What a trained colorizer gains and loses as its colours are chosen more boldly.

    python -m training.colorizer.vividness --run runs/film --images val.tar --out training/results/colorizer/film/vividness.json

Each photo goes through the net once; then its colours are chosen by every pair of temperature and rebalancing
(:class:`engines.spec.Choice`), brought to the photo's resolution as the effect does it, and measured. The
error of ab and colourfulness pull against each other, so the pairs form a frontier, along which the two ends
of ``--vividness`` are chosen (``training.colorizer.export``).
"""

import argparse
import json
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from emocolor.chroma.conversion import Rgb8, luma_of, rgb_of
from emocolor.effects.colorize import fine_chroma, small_size
from emocolor.errors import EmocolorError
from engines.nets.annealed import Annealed, annealed_mean
from engines.spec import Choice

from ..data.photos import Photos, central_crop, read_photos
from ..records import write_json
from .export import net_of_run
from .metrics import ColorizerScores
from .train import MEASURED_SIZE, TEMPERATURES

REBALANCINGS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)
SHOWN = ("ab_error", "colorfulness", "psnr", "ssim", "auc", "auc_rebalanced")


def measure_choices(net: Annealed, photos: Photos, choices: list[Choice]) -> list[dict[str, float]]:
    """Figures of ``training.colorizer.metrics`` for each choice, over the middle squares of all photos."""
    scores = [ColorizerScores() for _ in choices]
    for index in range(len(photos)):
        truth = central_crop(photos.photo(index), MEASURED_SIZE)
        for score, picture in zip(scores, _recolored(net, truth, choices), strict=True):
            score.add(picture, truth)
    return [score.figures() for score in scores]


@torch.inference_mode()
def _recolored(net: Annealed, truth: Rgb8, choices: list[Choice]) -> list[Rgb8]:
    gray = luma_of(truth)
    small = np.asarray(cv2.resize(gray, small_size(*gray.shape[::-1]), interpolation=cv2.INTER_AREA), np.uint8)
    levels = gray.astype(np.float32) / np.float32(255)
    logits = net.net(torch.from_numpy(small)[None, None].float() / 255)
    pictures = []
    for choice in choices:
        ab, _ = annealed_mean(net.rebalanced(logits, choice.rebalancing), net.bins, temperature=choice.temperature)
        pictures.append(rgb_of(gray, fine_chroma(levels, small, ab[0].movedim(0, 2).numpy(), "bt601")))
    return pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="finished run folder")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="photos, folders or tar files")
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    parser.add_argument("--rebalancings", type=float, nargs="+", default=REBALANCINGS)
    parser.add_argument("--first", type=int, help="only so many photos")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    arguments = parser.parse_args()
    choices = [
        Choice(temperature=temperature, rebalancing=rebalancing)
        for temperature, rebalancing in product(arguments.temperatures, arguments.rebalancings)
    ]
    try:
        photos = Photos(read_photos(arguments.images).packed[: arguments.first])
        found = measure_choices(net_of_run(arguments.run), photos, choices)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    rows: list[dict[str, Any]] = [
        {"temperature": choice.temperature, "rebalancing": choice.rebalancing} | {key: row[key] for key in SHOWN}
        for choice, row in zip(choices, found, strict=True)
    ]
    if arguments.out:
        write_json(arguments.out, {"photos": len(photos), "choices": rows})
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
