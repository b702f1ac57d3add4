"""Pairs rows with columns so that the sum of the pairs' weights is the largest. Exact, and fast if most weights are 0.

Source: H. W. Kuhn, "The Hungarian method for the assignment problem", 1955, in its form with potentials and shortest
augmenting paths (Jonker, Volgenant, 1987). Groups of rows and columns that are not connected are solved separately.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    AssignmentWeights = NDArray[np.float64]


def best_pairs(weights: AssignmentWeights) -> list[tuple[int, int]]:
    """Return the pairs (row, column) with the largest sum of weights (R, C), sorted; only weights above 0 may pair."""
    rows, columns = np.nonzero(weights > 0)
    pairs: list[tuple[int, int]] = []
    for some_rows, some_columns in _components(rows.tolist(), columns.tolist()):
        if len(some_rows) == len(some_columns) == 1:
            pairs.append((some_rows[0], some_columns[0]))
            continue
        part = weights[some_rows][:, some_columns]
        best = part.argmax(axis=1).tolist()
        # Mostly, the rows have different best columns: then these are the solution.
        found = enumerate(best) if len(set(best)) == len(best) else _solve(part)
        pairs += [(some_rows[row], some_columns[column]) for row, column in found if part[row, column] > 0]
    return sorted(pairs)


def _components(rows: list[int], columns: list[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the connected components: rows and columns that may pair, directly or through others."""
    columns_of: defaultdict[int, list[int]] = defaultdict(list)
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for row, column in zip(rows, columns, strict=True):
        columns_of[row].append(column)
        rows_of[column].append(row)
    while columns_of:
        reached, between = [next(iter(columns_of))], set[int]()
        for row in reached:  # the loop appends to it
            for column in columns_of.pop(row):
                if column not in between:
                    between.add(column)
                    reached += [other for other in rows_of[column] if other not in reached]
        yield reached, sorted(between)


def _solve(weights: AssignmentWeights) -> list[tuple[int, int]]:
    """Pair each element of the shorter side. Weights are not negative, so more pairs never make the sum smaller."""
    if weights.shape[0] > weights.shape[1]:
        return [(row, column) for column, row in _solve(weights.T)]
    costs = weights.max() - np.maximum(weights, 0)
    rows, columns = costs.shape
    row_potential, column_potential = np.zeros(rows), np.zeros(columns + 1)
    row_of = np.full(columns + 1, -1)  # the last column stands for none: each search starts there
    for start in range(rows):  # add one row to the matching, by a shortest augmenting path (Dijkstra)
        row_of[columns] = start
        column = columns
        shortest, before = np.full(columns, np.inf), np.full(columns, columns)
        visited = np.zeros(columns + 1, bool)
        while row_of[column] >= 0:
            visited[column] = True
            row = row_of[column]
            paths = costs[row] - row_potential[row] - column_potential[:columns]
            shorter = (paths < shortest) & ~visited[:columns]
            shortest[shorter], before[shorter] = paths[shorter], column
            following = int(np.where(visited[:columns], np.inf, shortest).argmin())
            step = shortest[following]
            row_potential[row_of[visited]] += step
            column_potential[visited] -= step
            shortest[~visited[:columns]] -= step
            column = following
        while column != columns:  # change the pairs along the path
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    return [(int(row), column) for column, row in enumerate(row_of[:columns]) if row >= 0]
