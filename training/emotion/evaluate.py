"""What ``python -m training.evaluate emotion`` measures: an emotion classifier on labelled faces."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from emocolor.emotion import EmotionClassifier
from emocolor.errors import ConfigurationError
from engines.emotion import load
from engines.spec import Precision

from ..data.faces import LabelSet, Split
from .calibration import reliability
from .metrics import classification_metrics
from .scoring import CHUNK, output_for, scored_faces

SHIPPED = "ours"


@dataclass(frozen=True, kw_only=True)
class EmotionEvalConfig:
    """What to measure."""

    weights: str = SHIPPED
    """A shipped net's name, or an ONNX file with its card beside it."""
    data: Path
    split: Split = "all"
    labels: LabelSet = "fer2013"
    """FER2013's kind of labels (the file's own), or the majority of FER+ votes."""
    output: str | None = None
    """The net's output to ask, where it has several; by default the one trained for ``labels``."""
    passes: int = 0
    """T of Monte Carlo dropout; 0 for one pass without dropout."""
    flip: bool = False
    """Average with the answer for the mirrored face, which doubles the cost (test-time augmentation)."""
    seed: int = 0
    precision: Precision = "f32"

    def __post_init__(self) -> None:
        if self.passes < 0:
            raise ConfigurationError(f"--mc must not be negative, got {self.passes}.")


def evaluate_emotion(question: EmotionEvalConfig) -> dict[str, object]:
    """Metrics of a net on the faces of an npz."""
    faces = scored_faces(question.data, question.split, question.labels)
    labels = faces.labels
    net = load(question.weights, threads=os.cpu_count() or 1, precision=question.precision)
    output = output_for(net.spec, question.labels, question.output)
    classifier = EmotionClassifier(net, passes=question.passes, seed=question.seed)
    crops = faces.gray(classifier.crop_size)
    probabilities = _mean(classifier, crops, output)
    if question.flip:
        mirrored = np.ascontiguousarray(crops[:, :, ::-1])
        probabilities = (probabilities + _mean(classifier, mirrored, output)) / 2
    return {
        "weights": question.weights,
        "split": question.split,
        "labels": question.labels,
        "output": output,
        "mc": question.passes,
        "flip": question.flip,
        "precision": question.precision,
        **classification_metrics(probabilities, labels),
        **{key: value for key, value in reliability(probabilities, labels).items() if key in ("brier", "nll")},
    }


def _mean(classifier: EmotionClassifier, crops: NDArray[np.uint8], output: str) -> NDArray[np.float64]:
    """Mean over passes (N, 7), a few faces at a time so that T passes of all never lie in memory."""
    parts = [
        classifier.passes_of(crops[i : i + CHUNK], output).mean(axis=0, dtype=np.float64)
        for i in range(0, len(crops), CHUNK)
    ]
    return np.concatenate(parts)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``evaluate emotion``, named as the fields of ``EmotionEvalConfig``."""
    parser.add_argument("--weights", default=SHIPPED, help="a shipped net's name, or an ONNX file with its card")
    parser.add_argument("--data", type=Path, required=True, help="npz with images, labels and optionally usage")
    parser.add_argument("--split", default="all", choices=get_args(Split))
    parser.add_argument("--labels", default="fer2013", choices=get_args(LabelSet), help="score by these labels")
    parser.add_argument("--output", help="ask this output of the net (default: the one trained for --labels)")
    parser.add_argument("--mc", dest="passes", type=int, default=0, metavar="T", help="Monte Carlo dropout passes")
    parser.add_argument("--flip", action="store_true", help="average with the mirrored face")
    parser.add_argument("--precision", default="f32", choices=get_args(Precision))
    parser.add_argument("--seed", type=int, default=0, help="seed of the dropout masks")
