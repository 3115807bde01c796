"""Smoothed emotions: integrals over media time that do not depend on frames, with and without look-ahead."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emocolor.emotions import NEUTRAL
from emocolor.errors import ConfigurationError
from emocolor.smoothing import History, SmoothingOptions, Span
from emocolor.smoothing import evidence_at as evidence_of_history

HAPPY, SAD = np.eye(7)[3], np.eye(7)[4]


def evidence_at(time, spans, tau):
    return evidence_of_history(time, History.of(spans), tau)


def simplex(draw):
    weights = np.array(draw(st.lists(st.floats(0.01, 1), min_size=7, max_size=7)))
    return weights / weights.sum()


@st.composite
def histories(draw):
    """Up to twelve adjacent spans, some unseen, with a time constant and a time to evaluate."""
    edges = np.cumsum([0.0, *draw(st.lists(st.floats(0.001, 2), min_size=1, max_size=12))])
    spans = [
        Span(a, b, simplex(draw) if draw(st.booleans()) else None, draw(st.floats(0.05, 1))) for a, b in pairwise(edges)
    ]
    return spans, draw(st.floats(0.05, 5)), draw(st.floats(-1, float(edges[-1]) + 1))


@given(histories())
def test_never_leaves_the_simplex(history):
    spans, tau, time = history
    evidence = evidence_at(time, spans, tau)
    assert evidence.probabilities.min() >= 0
    assert evidence.probabilities.sum() == pytest.approx(1)
    assert 0 <= evidence.certainty < 1


@given(histories(), st.integers(2, 9))
def test_does_not_depend_on_how_time_is_divided(history, pieces):
    spans, tau, time = history
    divided = []
    for span in spans:
        edges = np.linspace(span.start, span.end, pieces + 1)
        divided += [Span(a, b, span.probabilities, span.confidence) for a, b in pairwise(edges)]
    whole, parts = evidence_at(time, spans, tau), evidence_at(time, divided, tau)
    assert np.allclose(whole.counts, parts.counts, atol=1e-12)
    assert whole.unseen == pytest.approx(parts.unseen, abs=1e-12)


@given(st.floats(0.05, 5), st.floats(0.05, 1), st.data())
def test_constant_input_converges_to_it(tau, confidence, data):
    wanted = simplex(data.draw)
    before = Span(-50 * tau, 0, SAD)
    evidence = evidence_at(10 * tau, [before, Span(0, 10 * tau, wanted, confidence)], tau)
    assert np.allclose(evidence.probabilities, wanted, atol=1e-3)


@pytest.mark.parametrize("tau", [0.2, 0.5, 2.0])
def test_half_rise_after_tau_ln_2(tau):
    def risen(time):
        return evidence_at(time, [Span(-20 * tau, 0, SAD), Span(0, time, HAPPY)], tau).probabilities[3]

    times = np.linspace(1e-3, 3 * tau, 3000)
    half = times[np.searchsorted([risen(t) for t in times], 0.5)]
    assert half == pytest.approx(tau * math.log(2), rel=0.05)


@pytest.mark.parametrize("look_ahead", [0.0, 1.0])
def test_one_odd_frame_at_25_fps_moves_little(look_ahead):
    tau = SmoothingOptions().time_constant
    frames = [Span(n / 25, (n + 1) / 25, SAD if n == 100 else HAPPY) for n in range(200)]
    moved = []
    for n in range(90, 120):
        now = (n + 1) / 25
        seen = [s for s in frames if s.start < now + look_ahead - 1e-9]
        moved.append(1 - evidence_at(now, seen, tau).probabilities[3])
    assert 0 < max(moved) < 0.10


def test_look_ahead_takes_the_lag_away():
    spans = [Span(-5, 0, SAD), Span(0, 5, HAPPY)]
    assert evidence_at(0, spans, 0.5).probabilities[3] == pytest.approx(0.5, abs=1e-4)


def test_unseen_fades_to_neutral_and_loses_certainty():
    spans = [Span(0, 5, HAPPY), Span(5, 10, None)]
    times = np.linspace(5, 8, 30)
    path = [evidence_at(t, [s if s.end <= t else Span(s.start, t, s.probabilities) for s in spans], 0.5) for t in times]
    neutral = [e.probabilities[NEUTRAL] for e in path]
    assert neutral[0] == pytest.approx(0)
    assert np.all(np.diff(neutral) > 0)
    assert neutral[-1] > 0.99
    assert path[0].certainty > 0.75
    assert path[-1].certainty < 0.05


def test_confident_evidence_outweighs_uncertain_evidence():
    sure, unsure = Span(0, 1, HAPPY, 1.0), Span(1, 2, SAD, 0.1)
    assert evidence_at(2, [sure, unsure], 2.0).probabilities[3] > 0.8


def test_no_evidence_is_neutral_and_uncertain():
    evidence = evidence_at(1.0, [], 0.5)
    assert evidence.probabilities[NEUTRAL] == 1
    assert evidence.certainty == 0


@pytest.mark.parametrize("options", [{"time_constant": 0}, {"time_constant": -1}, {"look_ahead": -0.1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(ConfigurationError):
        SmoothingOptions(**options)
