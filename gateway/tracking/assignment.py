"""Pairing rows with columns so that the sum of the pairs' weights is greatest. Exact, and quick while most are 0.

Source: H. W. Kuhn, "The Hungarian method for the assignment problem", 1955, in its form with potentials and shortest
augmenting paths (Jonker, Volgenant, 1987). Rows and columns that are not connected are solved apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Weights = NDArray[np.float64]


def best_pairs(weights: Weights) -> list[tuple[int, int]]:
    """Pairs (row, column) of the matching with the greatest sum, by row; only positive weights (R, C) may pair."""
    pairs: list[tuple[int, int]] = []
    for rows, columns in _components(weights > 0):
        if len(rows) == 1 or len(columns) == 1:
            best = int(weights[np.ix_(rows, columns)].argmax())
            pairs.append((rows[best // len(columns)], columns[best % len(columns)]))
        else:
            part = weights[np.ix_(rows, columns)]
            pairs += [(rows[row], columns[column]) for row, column in _solve(part) if part[row, column] > 0]
    return sorted(pairs)


def _components(possible: NDArray[np.bool_]) -> Iterator[tuple[list[int], list[int]]]:
    """Rows and columns that may pair with each other, directly or by way of others."""
    columns_of = [np.flatnonzero(row).tolist() for row in possible]
    rows_of = [np.flatnonzero(column).tolist() for column in possible.T]
    seen: set[int] = set()
    for start, reached in enumerate(columns_of):
        if start in seen or not reached:
            continue
        rows, columns, queue = [start], set(reached), list(reached)
        seen.add(start)
        while queue:
            for row in rows_of[queue.pop()]:
                if row not in seen:
                    seen.add(row)
                    rows.append(row)
                    queue += [column for column in columns_of[row] if column not in columns]
                    columns.update(columns_of[row])
        yield sorted(rows), sorted(columns)


def _solve(weights: Weights) -> list[tuple[int, int]]:
    """All of the shorter side paired. Weights are not negative, so to pair more never makes the sum smaller."""
    if weights.shape[0] > weights.shape[1]:
        return [(row, column) for column, row in _solve(weights.T)]
    costs = weights.max() - np.maximum(weights, 0)
    rows, columns = costs.shape
    row_potential, column_potential = np.zeros(rows), np.zeros(columns + 1)
    row_of = np.full(columns + 1, -1)  # the last column stands for none: each search starts there
    for start in range(rows):
        row_of[columns] = start
        column = columns
        shortest, before = np.full(columns, np.inf), np.full(columns, columns)
        visited = np.zeros(columns + 1, bool)
        while row_of[column] >= 0:
            visited[column] = True
            row = row_of[column]
            ways = costs[row] - row_potential[row] - column_potential[:columns]
            shorter = (ways < shortest) & ~visited[:columns]
            shortest[shorter], before[shorter] = ways[shorter], column
            following = int(np.where(visited[:columns], np.inf, shortest).argmin())
            step = shortest[following]
            row_potential[row_of[visited]] += step
            column_potential[visited] -= step
            shortest[~visited[:columns]] -= step
            column = following
        while column != columns:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    return [(int(row), column) for column, row in enumerate(row_of[:columns]) if row >= 0]
