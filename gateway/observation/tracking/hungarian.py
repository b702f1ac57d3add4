"""Pairs rows with columns so that the sum of the weights is maximal. Exact, and fast if most weights are 0. Pure.

Source: H. W. Kuhn, "The Hungarian method for the assignment problem", 1955, in its form with potentials and shortest
augmenting paths (Jonker, Volgenant, 1987). Groups of rows and columns that are not connected are solved separately.

Groups mostly have two or three members, so plain numbers are used: arrays are faster only from 80 members on.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    AssignmentWeights = Sequence[Sequence[float]]


def best_pairs(weights: AssignmentWeights) -> list[tuple[int, int]]:
    """Return the pairs (row, column) with the largest sum of weights (R, C), sorted; weights of pairs are above 0."""
    possible = ((row, column) for row, line in enumerate(weights) for column, weight in enumerate(line) if weight > 0)
    pairs: list[tuple[int, int]] = []
    for rows, columns in _components(possible):
        if len(rows) == len(columns) == 1:
            pairs.append((rows[0], columns[0]))
            continue
        part = [[max(weights[row][column], 0.0) for column in columns] for row in rows]
        best = [line.index(max(line)) for line in part]
        # Mostly, the rows have different best columns: then these are the solution.
        found = enumerate(best) if len(set(best)) == len(best) else _solve(part)
        pairs += [(rows[row], columns[column]) for row, column in found if part[row][column] > 0]
    return sorted(pairs)


def _components(possible: Iterable[tuple[int, int]]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the connected components: rows and columns that may pair, directly or through others."""
    columns_of: defaultdict[int, list[int]] = defaultdict(list)
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for row, column in possible:
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
    """Return the best pairs (row, column), one for each element of the shorter side; weights must not be negative."""
    rows, columns = len(weights), len(weights[0])
    if rows > columns:
        return [(row, column) for column, row in _solve(list(zip(*weights, strict=True)))]
    highest = max(map(max, weights))
    costs = [[highest - weight for weight in line] for line in weights]
    row_potential, column_potential = [0.0] * rows, [0.0] * (columns + 1)
    row_of = [-1] * (columns + 1)  # the additional last column is where each search starts; -1: no row is paired
    for start in range(rows):  # add one row to the matching, by a shortest augmenting path (Dijkstra)
        row_of[columns] = start
        column = columns
        shortest, before = [math.inf] * columns, [columns] * columns
        visited, unvisited = list[int](), list(range(columns))
        while row_of[column] >= 0:
            visited.append(column)
            if column in unvisited:
                unvisited.remove(column)
            row = row_of[column]
            for other in unvisited:
                path = costs[row][other] - row_potential[row] - column_potential[other]
                if path < shortest[other]:
                    shortest[other], before[other] = path, column
            following = min(unvisited, key=shortest.__getitem__)
            step = shortest[following]
            for other in visited:
                row_potential[row_of[other]] += step
                column_potential[other] -= step
            for other in unvisited:
                shortest[other] -= step
            column = following
        while column != columns:  # exchange the pairs along the path
            row_of[column] = row_of[before[column]]
            column = before[column]
    return [(row, column) for column, row in enumerate(row_of[:columns]) if row >= 0]
