"""Measure what ships, or any weights, on labelled data.

    python -m training.evaluate emotion --data faces.npz [--labels ferplus] [--mc 20] [--split public]

Takes any npz of the form that ``training.datasets`` tells: gray or RGB of any size; faces are turned to
gray and scaled to what the net takes, and images labelled 7 (contempt) are left out. ``--labels ferplus``
scores by the votes of FER+ instead: the majority of the seven classes; ties, and images that the voters
found unknown, faceless or contemptuous, are left out. A net that was trained for both kinds of labels answers each with
the output trained for it. Prints one JSON object: accuracy, macro_f1, weighted_f1, kappa, mcc, top2,
per_class (recall of each emotion), confusion (true emotions as rows), ece, brier, nll, n. Needs no torch.
"""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from emocolor.emotion import EmotionClassifier
from emocolor.errors import ConfigurationError, EmocolorError
from engines.load import load
from engines.spec import Precision
from training.calibration import reliability
from training.datasets import LabelSet, Split
from training.metrics import classification_metrics
from training.scoring import CHUNK, output_for, scored_faces

SHIPPED = "ours"


@dataclass(frozen=True, kw_only=True)
class Question:
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


def evaluate_emotion(question: Question) -> dict[str, object]:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    emotion = kinds.add_parser("emotion", help="an emotion classifier on face images")
    emotion.add_argument("--weights", default=SHIPPED, help="a shipped net's name, or an ONNX file with its card")
    emotion.add_argument("--data", type=Path, required=True, help="npz with images, labels and optionally usage")
    emotion.add_argument("--split", default="all", choices=get_args(Split))
    emotion.add_argument("--labels", default="fer2013", choices=get_args(LabelSet), help="score by these labels")
    emotion.add_argument("--output", help="ask this output of the net (default: the one trained for --labels)")
    emotion.add_argument("--mc", type=int, default=0, metavar="T", help="Monte Carlo dropout passes")
    emotion.add_argument("--flip", action="store_true", help="average with the mirrored face")
    emotion.add_argument("--precision", default="f32", choices=get_args(Precision))
    emotion.add_argument("--seed", type=int, default=0, help="seed of the dropout masks")
    given = vars(parser.parse_args())
    try:
        question = Question(passes=given.pop("mc"), **{k: v for k, v in given.items() if k != "kind"})
        found = evaluate_emotion(question)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
