"""Metrics of a classifier's probabilities.

Definitions as in scikit-learn for accuracy, F1, Cohen's kappa and Matthews' coefficient; the
expected calibration error has 15 bins of equal width over the top probability (Guo et al. 2017).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emocolor.emotions import EMOTIONS


def classification_metrics(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> dict[str, Any]:
    """One JSON-ready object from probabilities (N, 7) and true labels (N,).

    ``per_class`` is the recall of each emotion (null where the labels have none), which S0 calls
    per-class accuracy; ``confusion`` has true emotions as rows.
    """
    count, classes = probabilities.shape
    predicted = probabilities.argmax(1)
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (labels, predicted), 1)
    hits, truths, guesses = np.diag(confusion).astype(float), confusion.sum(1), confusion.sum(0)
    f1 = 2 * hits / np.maximum(truths + guesses, 1)
    present = (truths + guesses) > 0
    accuracy = hits.sum() / count
    chance = float((truths * guesses).sum()) / count**2
    top2 = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    return {
        "n": count,
        "accuracy": round(float(accuracy), 4),
        "macro_f1": round(float(f1[present].mean()), 4),
        "weighted_f1": round(float((f1 * truths).sum() / count), 4),
        "kappa": round(float((accuracy - chance) / (1 - chance)) if chance < 1 else 0.0, 4),
        "mcc": round(_matthews(confusion), 4),
        "top2": round(float((top2 == labels[:, None]).any(1).mean()), 4),
        "ece": round(expected_calibration_error(probabilities, labels), 4),
        "per_class": {
            name: round(float(hits[k] / truths[k]), 4) if truths[k] else None for k, name in enumerate(EMOTIONS)
        },
        "confusion": confusion.tolist(),
    }


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins, weighted by their size."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(correct[bin_of == b].mean() - confidence[bin_of == b].mean()) * (bin_of == b).mean()
        for b in range(bins)
        if (bin_of == b).any()
    ]
    return float(sum(gaps))


def _matthews(confusion: NDArray[np.int64]) -> float:
    total, truths, guesses = confusion.sum(), confusion.sum(1), confusion.sum(0)
    covariance = float(np.trace(confusion) * total - (truths * guesses).sum())
    spread = float(total**2 - (truths**2).sum()) * float(total**2 - (guesses**2).sum())
    return covariance / spread**0.5 if spread else 0.0
