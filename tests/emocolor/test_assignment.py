"""The assignment is the best there is, whatever the costs."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emocolor.assignment import Costs, cheapest_pairs

tables = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 8).map(float))
)


def worth(costs: Costs, pairs: list[tuple[int, int]], limit: float) -> float:
    return sum(limit - float(costs[pair]) for pair in pairs)


def best_worth(costs: Costs, limit: float) -> float:
    """By trying every set of pairs."""
    rows, columns = costs.shape
    return max(
        worth(costs, list(zip(some, others, strict=True)), limit)
        for count in range(min(rows, columns) + 1)
        for some in combinations(range(rows), count)
        for others in permutations(range(columns), count)
    )


@given(tables, st.integers(1, 9).map(float))
def test_no_other_pairs_are_worth_more(costs: Costs, limit: float) -> None:
    pairs = cheapest_pairs(costs, limit)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(costs[pair] < limit for pair in pairs)
    assert worth(costs, pairs, limit) == pytest.approx(best_worth(costs, limit))


@given(st.permutations(range(12)))
def test_a_hidden_permutation_is_found(hidden: list[int]) -> None:
    costs = np.random.default_rng(0).uniform(0.5, 1.0, (12, 12))
    costs[np.arange(12), hidden] = 0.1
    assert cheapest_pairs(costs, 2.0) == list(enumerate(hidden))
