"""Pairing two sets of things so that the pairs cost least in sum."""

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]


def cheapest_pairs(costs: Costs, limit: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of ``costs`` (N, M), each used once at most, exactly optimal.

    A pair is worth ``limit`` less its cost, and the pairs' worth is greatest in sum; a pair that
    costs ``limit`` or more is never made.
    """
    if costs.shape[0] > costs.shape[1]:
        return sorted((row, column) for column, row in cheapest_pairs(costs.T, limit))
    worth = np.minimum(costs - limit, 0.0)
    return [(row, column) for row, column in enumerate(_assign(worth)) if worth[row, column] < 0]


def _assign(costs: Costs) -> list[int]:
    """A column for every row of ``costs`` (N, M), N <= M, least in sum: the Hungarian method.

    Rows join one by one, each along a shortest path of reduced costs (Jonker and Volgenant 1987).
    """
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1)
    for row in range(rows):
        reached = np.zeros(columns, bool)
        length, came_from = np.full(columns, np.inf), np.full(columns, -1)
        at_row, at_column, walked = row, -1, 0.0
        while at_row >= 0:
            through = walked + costs[at_row] - row_price[at_row] - column_price
            better = ~reached & (through < length)
            length[better], came_from[better] = through[better], at_column
            at_column = int(np.where(reached, np.inf, length).argmin())
            walked = float(length[at_column])
            reached[at_column] = True
            at_row = int(row_of[at_column])
        row_price[row] += walked
        seen = reached & (row_of >= 0)
        row_price[row_of[seen]] += walked - length[seen]
        column_price[reached] -= walked - length[reached]
        while at_column >= 0:
            before = int(came_from[at_column])
            row_of[at_column] = row_of[before] if before >= 0 else row
            at_column = before
    return [int(np.flatnonzero(row_of == row)[0]) for row in range(rows)]
