"""What ``python -m training.evaluate emotion`` measures: an emotion classifier on labelled faces."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from emocolor.classifier import EmotionClassifier
from emocolor.errors import ConfigurationError
from emocolor.protocols import Precision
from engines.emotion import load_emotion_net

from ..data.faces import LabelSet, Split
from .calibration import reliability
from .metrics import classification_metrics
from .scoring import CHUNK, output_for, scored_faces

SHIPPED = "ours"


@dataclass(frozen=True, kw_only=True)
class EmotionEvalConfig:
    """An emotion classifier, and the faces to measure it on."""

    weights: str = SHIPPED
    """A shipped net's name, or an ONNX file with its card beside it."""
    data: Path
    split: Split = "all"
    labels: LabelSet = "fer2013"
    """The file's own labels, or the majority of the FER+ votes."""
    output: str | None = None
    """The net's output to measure; by default the one trained on ``labels``."""
    passes: int = 0
    """T of Monte Carlo dropout; 0 for one pass without dropout."""
    flip: bool = False
    """Test-time augmentation: average with the output for the mirrored face, at twice the cost."""
    seed: int = 0
    precision: Precision = "f32"

    def __post_init__(self) -> None:
        if self.passes < 0:
            raise ConfigurationError(f"passes must not be negative, got {self.passes}.")


def evaluate_emotion(config: EmotionEvalConfig) -> dict[str, object]:
    """Metrics of a net on the faces of an npz."""
    faces = scored_faces(config.data, config.split, config.labels)
    labels = faces.labels
    net = load_emotion_net(config.weights, threads=os.cpu_count() or 1, precision=config.precision)
    output = output_for(net.spec, config.labels, config.output)
    classifier = EmotionClassifier(net, passes=config.passes, seed=config.seed)
    crops = faces.gray(classifier.crop_size)
    probabilities = _mean(classifier, crops, output)
    if config.flip:
        mirrored = np.ascontiguousarray(crops[:, :, ::-1])
        probabilities = (probabilities + _mean(classifier, mirrored, output)) / 2
    return {
        "weights": config.weights,
        "split": config.split,
        "labels": config.labels,
        "output": output,
        "mc": config.passes,
        "flip": config.flip,
        "precision": config.precision,
        **classification_metrics(probabilities, labels),
        **{key: value for key, value in reliability(probabilities, labels).items() if key in ("brier", "nll")},
    }


def _mean(classifier: EmotionClassifier, crops: NDArray[np.uint8], output: str) -> NDArray[np.float64]:
    """Mean over passes (N, 7), a few faces at a time, so that the T passes of all are never in memory."""
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
    parser.add_argument("--output", help="the net's output to measure (default: the one trained on --labels)")
    parser.add_argument("--mc", dest="passes", type=int, default=0, metavar="T", help="Monte Carlo dropout passes")
    parser.add_argument("--flip", action="store_true", help="average with the mirrored face")
    parser.add_argument("--precision", default="f32", choices=get_args(Precision))
    parser.add_argument("--seed", type=int, default=0, help="seed of the dropout masks")
