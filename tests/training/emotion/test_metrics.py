"""Metrics against definitions worked out by hand, and against properties."""

import numpy as np
import pytest

from training.emotion.metrics import classification_metrics, expected_calibration_error


def one_hot(labels):
    return np.eye(7)[labels]


def test_perfect_outputs():
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 6])
    found = classification_metrics(one_hot(labels), labels)
    for name in ("accuracy", "macro_f1", "weighted_f1", "kappa", "mcc", "top2"):
        assert found[name] == 1, name
    assert found["ece"] == 0
    assert found["n"] == 8
    assert found["per_class"]["neutral"] == 1


def test_a_small_case_by_hand():
    labels = np.array([3, 3, 3, 4, 4, 6])
    predicted = np.array([3, 3, 4, 4, 6, 6])
    found = classification_metrics(one_hot(predicted), labels)
    assert found["accuracy"] == pytest.approx(4 / 6, abs=1e-4)
    f1 = {3: 2 * 2 / (3 + 2), 4: 2 * 1 / (2 + 2), 6: 2 * 1 / (1 + 2)}
    assert found["macro_f1"] == pytest.approx(sum(f1.values()) / 3, abs=1e-4)
    assert found["weighted_f1"] == pytest.approx((3 * f1[3] + 2 * f1[4] + f1[6]) / 6, abs=1e-4)
    chance = (3 * 2 + 2 * 2 + 1 * 2) / 36
    assert found["kappa"] == pytest.approx((4 / 6 - chance) / (1 - chance), abs=1e-4)
    covariance = 4 * 6 - 12
    assert found["mcc"] == pytest.approx(covariance / ((36 - 14) * (36 - 12)) ** 0.5, abs=1e-4)
    assert found["per_class"]["sad"] == 0.5
    assert found["per_class"]["angry"] is None
    assert found["confusion"][3] == [0, 0, 0, 2, 1, 0, 0]


def test_top2_counts_the_second_guess():
    probabilities = np.array([[0.5, 0.4, 0.1, 0, 0, 0, 0], [0.5, 0.4, 0.1, 0, 0, 0, 0]])
    assert classification_metrics(probabilities, np.array([1, 2]))["top2"] == 0.5


def test_calibration_error_of_known_cases():
    labels = np.zeros(100, int)
    labels[:30] = 1
    confident = np.tile([0.95, 0.05, 0, 0, 0, 0, 0], (100, 1))
    assert expected_calibration_error(confident, labels) == pytest.approx(0.25)
    honest = np.tile([0.7, 0.3, 0, 0, 0, 0, 0], (100, 1))
    assert expected_calibration_error(honest, labels) == pytest.approx(0)
