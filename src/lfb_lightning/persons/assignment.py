"""The cheapest way to pair rows with columns, exactly, without SciPy."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64


def cheapest_pairs(cost: Float64[np.ndarray, "R C"]) -> Int64[np.ndarray, "N 2"]:
    """Pair rows with columns, each at most once, so that as many as possible are paired and their costs' sum is least.

    The Hungarian method by shortest augmenting paths: rows x rows x columns steps, so a crowd of 100 takes milliseconds.

    Args:
        cost: Finite costs of every pair.

    Returns:
        min(R, C) pairs of row and column, in the order of rows.
    """
    rows, columns = cost.shape
    if rows > columns:
        pairs = cheapest_pairs(np.ascontiguousarray(cost.T))[:, ::-1]
        return pairs[np.argsort(pairs[:, 0])]
    # A column's potential, a row's potential and its partner are those of the textbook; column `columns` is the start.
    row_potential, column_potential = np.zeros(rows), np.zeros(columns + 1)
    row_of = np.full(columns + 1, -1)
    for row in range(rows):
        row_of[columns], column = row, columns
        shortest, came_from = np.full(columns, np.inf), np.full(columns, columns)
        done = np.zeros(columns + 1, dtype=bool)
        while row_of[column] >= 0:
            done[column] = True
            here = row_of[column]
            reduced = cost[here] - row_potential[here] - column_potential[:columns]
            better = ~done[:columns] & (reduced < shortest)
            shortest[better], came_from[better] = reduced[better], column
            column_next = int(np.argmin(np.where(done[:columns], np.inf, shortest)))
            step = shortest[column_next]
            row_potential[row_of[done]] += step
            column_potential[done] -= step
            shortest[~done[:columns]] -= step
            column = column_next
        while column != columns:
            row_of[column] = row_of[came_from[column]]
            column = int(came_from[column])
    paired = np.flatnonzero(row_of[:columns] >= 0)
    pairs = np.stack([row_of[paired], paired], axis=1).astype(np.int64)
    return pairs[np.argsort(pairs[:, 0])]
