"""Sides of polygons that cross, and corners that enclose nothing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COLLINEAR_TOLERANCE = 1e-12
"""How far a turn may be from 0 on a straight line, as part of the greatest coordinate squared: what rounding makes."""

Corner = tuple[float, float]


def find_crossing(lines: Sequence[tuple[Corner, Corner]]) -> tuple[int, int] | None:
    """Two sides that have more in common than the corner between them."""
    last = len(lines) - 1
    for first, (a, b) in enumerate(lines):
        for second in range(first + 1, len(lines)):
            c, d = lines[second]
            if second == first + 1:
                common = _folded(a, b, d)
            elif first == 0 and second == last:
                common = _folded(c, d, b)
            else:
                common = _meet(a, b, c, d)
            if common:
                return first, second
    return None


def are_collinear(corners: Sequence[Corner]) -> bool:
    """Whether no corner is beside the line through the others."""
    most = COLLINEAR_TOLERANCE * max(max(corner) for corner in corners) ** 2
    return all(
        abs(_turn(a, b, c)) <= most
        for a, b, c in zip(corners, [*corners[1:], corners[0]], [*corners[2:], *corners[:2]], strict=True)
    )


def _folded(a: Corner, b: Corner, c: Corner) -> bool:
    """Whether b to c goes back the way that a to b came, or nowhere."""
    forward = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return b in {a, c} or (_turn(a, b, c) == 0 and forward < 0)


def _meet(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    """Whether the sides a to b and c to d have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _between(*end) for turn, end in zip(turns, ends, strict=True))


def _turn(a: Corner, b: Corner, c: Corner) -> float:
    """Above 0: left of a to b; 0: on its line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _between(a: Corner, b: Corner, c: Corner) -> bool:
    """Whether c, which is on the line through a and b, is between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
