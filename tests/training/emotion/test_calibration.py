"""Calibration against labels drawn from known probabilities, and against values worked out by hand."""

import numpy as np
import pytest

from training.emotion.calibration import (
    apply_temperature,
    brier_score,
    cross_fitted,
    cross_fitted_passes,
    entropy,
    error_auroc,
    fit_temperature,
    mutual_information,
    negative_log_likelihood,
    reliability,
    reliability_bins,
    risk_coverage,
    selective_risks,
)
from training.emotion.metrics import expected_calibration_error


def random_probabilities(count, passes=1, seed=0):
    """Probabilities (passes, count, 7) of random logits, the passes of one image alike but not the same."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (1, count, 7)) + random.normal(0, 0.5 if passes > 1 else 0, (passes, count, 7))
    weights = np.exp(logits)
    return weights / weights.sum(-1, keepdims=True)


def drawn_from(probabilities, seed=1):
    """Labels (N,) that come true as often as the probabilities (N, 7) say."""
    chance = np.random.default_rng(seed).random((len(probabilities), 1))
    return (chance > probabilities.cumsum(1)).sum(1).clip(0, 6)


def test_probabilities_that_come_true_are_calibrated_and_others_are_not():
    honest = random_probabilities(20_000)[0]
    labels = drawn_from(honest)
    assert reliability(honest, labels)["ece"] < 0.015
    for boastful_or_shy in (0.5, 2.0):
        assert reliability(apply_temperature(honest[None], boastful_or_shy)[0], labels)["ece"] > 0.08


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.8])
def test_a_known_temperature_is_found(temperature):
    honest = random_probabilities(20_000)
    labels = drawn_from(honest[0])
    assert fit_temperature(apply_temperature(honest, 1 / temperature), labels) == pytest.approx(temperature, rel=0.03)


def test_the_temperature_of_several_passes_is_that_of_their_mean():
    passes = random_probabilities(6000, passes=4)
    labels = drawn_from(passes.mean(0))
    assert fit_temperature(passes, labels) == pytest.approx(1, rel=0.05)
    assert fit_temperature(apply_temperature(passes, 0.4), labels) == pytest.approx(2.5, rel=0.05)


def test_a_temperature_is_applied_and_undone():
    passes = random_probabilities(50, passes=3)
    assert np.allclose(apply_temperature(passes, 1), passes, atol=1e-12)
    assert np.allclose(apply_temperature(apply_temperature(passes, 2.5), 1 / 2.5), passes, atol=1e-12)
    flat, sharp = apply_temperature(passes, 1000), apply_temperature(passes, 0.001)
    assert np.allclose(flat, 1 / 7, atol=0.01)
    assert np.allclose(sharp.max(-1), 1)
    for changed in (flat, sharp):
        assert np.allclose(changed.sum(-1), 1)
        assert (changed.argmax(-1) == passes.argmax(-1)).all()
    assert np.allclose(apply_temperature(np.eye(7, dtype=np.float32)[None], 2).sum(-1), 1)  # zeros stay finite


def test_cross_fitting_fixes_calibration_without_the_labels_it_is_measured_on():
    passes = apply_temperature(random_probabilities(4000, passes=4), 0.4)
    labels = drawn_from(apply_temperature(passes, 2.5).mean(0))
    assert reliability(passes.mean(0), labels)["ece"] > 0.1
    fitted = cross_fitted(passes, labels)
    assert reliability(fitted, labels)["ece"] < 0.03
    assert np.allclose(fitted, cross_fitted_passes(passes, labels).mean(0))

    other = labels.copy()
    other[::2] = np.random.default_rng(5).integers(0, 7, len(labels[::2]))
    changed = cross_fitted(passes, other)
    assert np.array_equal(changed[::2], fitted[::2])  # their own labels do not count
    assert not np.allclose(changed[1::2], fitted[1::2])


def test_scores_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0]])
    labels = np.array([0, 1])
    assert negative_log_likelihood(probabilities, labels) == pytest.approx(-(np.log(0.7) + np.log(0.5)) / 2)
    first, second = 0.3**2 + 0.2**2 + 0.1**2, 0.5**2 + 0.5**2
    assert brier_score(probabilities, labels) == pytest.approx((first + second) / 2)
    assert brier_score(np.eye(7), np.arange(7)) == 0
    assert brier_score(np.eye(7), (np.arange(7) + 1) % 7) == 2
    assert np.isfinite(negative_log_likelihood(np.eye(7), (np.arange(7) + 1) % 7))


def test_entropy_and_what_passes_disagree_on():
    assert entropy(np.full(7, 1 / 7)) == pytest.approx(np.log(7))
    assert entropy(np.eye(7)) == pytest.approx(np.zeros(7), abs=1e-9)
    torn = np.eye(7)[:, None]  # seven passes over one image, each sure of something else
    assert mutual_information(torn) == pytest.approx([np.log(7)])
    vague = np.full((5, 1, 7), 1 / 7)
    assert mutual_information(vague) == pytest.approx([0])


def test_setting_errors_aside_first_is_the_best_curve():
    labels = np.zeros(10, int)
    probabilities = np.eye(7)[[0] * 7 + [1] * 3]
    errors_last = np.arange(10.0)
    curve = risk_coverage(probabilities, labels, errors_last)
    assert curve["1.00"] == 0.7
    assert curve["0.90"] == pytest.approx(7 / 9, abs=1e-4)
    assert curve["0.80"] == pytest.approx(7 / 8, abs=1e-4)
    assert curve["0.70"] == curve["0.50"] == 1
    assert curve["aurc"] == pytest.approx((1 / 8 + 2 / 9 + 3 / 10) / 10, abs=1e-4)
    worst = risk_coverage(probabilities, labels, -errors_last)
    assert worst["0.50"] == pytest.approx(2 / 5)
    assert worst["aurc"] > curve["aurc"]
    assert selective_risks(probabilities, labels, errors_last)[-1] == pytest.approx(0.3)


def test_one_image_has_a_curve():
    assert risk_coverage(np.eye(7)[:1], np.array([0]), np.zeros(1))["0.50"] == 1


def test_auroc_counts_pairs():
    random = np.random.default_rng(0)
    uncertainty, wrong = random.integers(0, 6, 60).astype(float), random.random(60) < 0.3
    errors, rights = uncertainty[wrong, None], uncertainty[None, ~wrong]
    assert error_auroc(uncertainty, wrong) == pytest.approx(((errors > rights) + (errors == rights) / 2).mean())
    assert error_auroc(wrong.astype(float), wrong) == 1
    assert error_auroc(-wrong.astype(float), wrong) == 0
    assert error_auroc(uncertainty, np.ones(60, bool)) == 0.5


def test_bins_of_the_diagram_are_those_of_the_calibration_error():
    probabilities = random_probabilities(500)[0]
    labels = np.random.default_rng(2).integers(0, 7, 500)
    bins = reliability_bins(probabilities, labels)
    assert sum(b.share for b in bins) == pytest.approx(1)
    assert [b.confidence for b in bins] == sorted(b.confidence for b in bins)
    gap = sum(abs(b.accuracy - b.confidence) * b.share for b in bins)
    assert gap == pytest.approx(expected_calibration_error(probabilities, labels))
    top = np.array([0.9, 0.95, 1.0])  # of 15 bins the 14th and the 15th, which takes 1 in
    sure = np.column_stack([top, 1 - top, np.zeros((3, 5))])
    assert [b.share for b in reliability_bins(sure, np.zeros(3, int))] == pytest.approx([1 / 3, 2 / 3])
