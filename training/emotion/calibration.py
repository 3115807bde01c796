"""Calibration of a classifier's probabilities, and temperature scaling, which corrects it.

Temperature scaling is Guo et al. 2017. With Monte Carlo dropout the temperature divides the logits of every pass, and
it is fitted to the mean over passes. Risk and coverage are El-Yaniv and Wiener 2010; mutual information as a measure of
disagreement between the passes is Houlsby et al. 2011.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .metrics import expected_calibration_error

COVERAGES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5)


class Bin(NamedTuple):
    """The predictions whose top probability lies in one interval."""

    confidence: float
    """Their mean top probability."""
    accuracy: float
    share: float
    """Their share of all predictions."""


def apply_temperature(passes: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Passes (T, N, 7) with their logits divided by ``temperature``."""
    logits = np.log(np.maximum(passes.astype(np.float64), 1e-30)) / temperature
    logits -= logits.max(axis=-1, keepdims=True)
    scaled = np.exp(logits)
    return np.asarray(scaled / scaled.sum(axis=-1, keepdims=True))


def fit_temperature(passes: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature in 0.2 to 5 that minimises the NLL of the mean of ``passes`` (T, N, 7)."""
    low, high = np.log(0.2), np.log(5.0)
    for _ in range(4):  # each round keeps a fifth of the range, so the result is exact to 0.5 %
        grid = np.linspace(low, high, 11)
        losses = [negative_log_likelihood(apply_temperature(passes, np.exp(x)).mean(0), labels) for x in grid]
        best = int(np.argmin(losses))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, 10)]
    return round(float(np.exp((low + high) / 2)), 4)


def cross_fitted_passes(passes: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Passes (T, N, 7), each half of the images with the temperature fitted on the other half.

    Metrics of the result are not measured on the labels that the temperature was fitted on. Takes at least two images.
    """
    fitted = np.empty(passes.shape)
    even = np.arange(len(labels)) % 2 == 0
    for half in (even, ~even):
        temperature = fit_temperature(passes[:, ~half], labels[~half])
        fitted[:, half] = apply_temperature(passes[:, half], temperature)
    return fitted


def cross_fitted(passes: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Mean probabilities (N, 7) of ``cross_fitted_passes``."""
    return np.asarray(cross_fitted_passes(passes, labels).mean(0))


def negative_log_likelihood(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Mean of -log p(label), in nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def brier_score(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Mean squared distance from the one-hot label, summed over classes: 0 to 2."""
    return float((probabilities**2).sum(1).mean() - 2 * probabilities[np.arange(len(labels)), labels].mean() + 1)


def entropy(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Shannon entropy over the last axis, in nats."""
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, 1e-12))).sum(-1))


def mutual_information(passes: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) of passes (T, N, 7): entropy of the mean minus mean entropy, the disagreement between the passes."""
    return np.maximum(0.0, entropy(passes.mean(0)) - entropy(passes).mean(0))


def selective_risks(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], uncertainty: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(N,): the error among the k least uncertain images, for k from 1 to N."""
    wrong = (probabilities.argmax(1) != labels)[np.argsort(uncertainty, kind="stable")]
    return np.asarray(np.cumsum(wrong) / np.arange(1, len(wrong) + 1))


def risk_coverage(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], uncertainty: NDArray[np.floating]
) -> dict[str, float]:
    """Accuracy at each coverage: on the share of images that is kept when the most uncertain are rejected.

    ``aurc`` is the area under the curve of risk (error among the kept) over coverage.
    """
    risks = selective_risks(probabilities, labels, uncertainty)
    found = {f"{share:.2f}": round(1 - float(risks[max(0, round(share * len(risks)) - 1)]), 4) for share in COVERAGES}
    return found | {"aurc": round(float(risks.mean()), 4)}


def error_auroc(uncertainty: NDArray[np.floating], wrong: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of ``uncertainty`` (N,) as a detector of ``wrong`` predictions (N,).

    It is the probability that a wrong prediction is more uncertain than a right one, ties counting half; 0.5 where all
    predictions are right, or all wrong.
    """
    errors = int(wrong.sum())
    pairs = errors * (len(wrong) - errors)
    if not pairs:
        return 0.5
    _, place, ties = np.unique(uncertainty, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(ties) - (ties - 1) / 2)[place]  # from 1, equal values sharing their mean rank
    return float((ranks[wrong].sum() - errors * (errors + 1) / 2) / pairs)


def reliability(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> dict[str, float]:
    """ECE (15 bins), Brier score, NLL and accuracy in one object."""
    return {
        "accuracy": round(float((probabilities.argmax(1) == labels).mean()), 4),
        "ece": round(expected_calibration_error(probabilities, labels), 4),
        "brier": round(brier_score(probabilities, labels), 4),
        "nll": round(negative_log_likelihood(probabilities, labels), 4),
    }


def reliability_bins(probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15) -> list[Bin]:
    """The points of a reliability diagram: the non-empty bins of the ECE, in ascending order."""
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    bin_of = np.minimum((confidence * bins).astype(int), bins - 1)
    members = [bin_of == b for b in np.unique(bin_of)]
    return [Bin(float(confidence[m].mean()), float(correct[m].mean()), float(m.mean())) for m in members]
