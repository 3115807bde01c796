"""Measure what ships, or any weights, on labelled data.

    python -m training.evaluate emotion --data fer2013.npz --split public --mc 20

Prints one JSON object: accuracy, macro_f1, weighted_f1, kappa, mcc, top2, per_class (recall of each
emotion), confusion (true emotions as rows), ece, n. Needs no torch.
"""

import argparse
import json
import os
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from emocolor.emotion import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError
from engines.load import load
from engines.spec import Precision
from training.datasets import Split, read_faces
from training.metrics import classification_metrics

SHIPPED = "emotion_s0"


def evaluate_emotion(
    weights: str, data: Path, split: Split, passes: int, seed: int, precision: Precision
) -> dict[str, object]:
    """Metrics of a net on the faces of an npz; ``passes`` is T of Monte Carlo dropout, 0 for none."""
    faces = read_faces(data, split)
    classifier = EmotionClassifier(
        load(weights, threads=os.cpu_count() or 1, precision=precision), passes=passes, seed=seed
    )
    crops = faces.gray(classifier.crop_size)
    probabilities = np.concatenate([_mean(classifier, crops[i : i + 64]) for i in range(0, len(crops), 64)])
    return {
        "weights": weights,
        "split": split,
        "mc": passes,
        "precision": precision,
        **classification_metrics(probabilities, faces.labels),
    }


def _mean(classifier: EmotionClassifier, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(classifier.passes_of(crops).mean(axis=0, dtype=np.float64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    emotion = kinds.add_parser("emotion", help="an emotion classifier on face images")
    emotion.add_argument("--weights", default=SHIPPED, help="a shipped net's name, or an ONNX file with its card")
    emotion.add_argument("--data", type=Path, required=True, help="npz with images, labels and optionally usage")
    emotion.add_argument("--split", default="all", choices=get_args(Split))
    emotion.add_argument("--mc", type=int, default=0, metavar="T", help="Monte Carlo dropout passes")
    emotion.add_argument("--precision", default="f32", choices=get_args(Precision))
    emotion.add_argument("--seed", type=int, default=0, help="seed of the dropout masks")
    arguments = parser.parse_args()
    try:
        if arguments.mc < 0:
            raise ConfigurationError(f"--mc must not be negative, got {arguments.mc}.")
        found = evaluate_emotion(
            arguments.weights, arguments.data, arguments.split, arguments.mc, arguments.seed, arguments.precision
        )
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
