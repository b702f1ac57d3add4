"""Geometry of invalid polygons: sides that cross, corners on one line. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

COLLINEAR_TOLERANCE = 1e-12
"""The largest |turn| of collinear points, relative to the square of the largest coordinate: the rounding error."""

Corner = tuple[float, float]
"""x, y."""


def find_crossing(lines: Sequence[tuple[Corner, Corner]]) -> tuple[int, int] | None:
    """Return the indices of two sides that share more than the corner between them; None if there are none."""
    last = len(lines) - 1
    for first, (a, b) in enumerate(lines):
        for second in range(first + 1, len(lines)):
            c, d = lines[second]
            if second == first + 1:
                common = _folds_back(a, b, d)
            elif first == 0 and second == last:
                common = _folds_back(c, d, b)
            else:
                common = _touch(a, b, c, d)
            if common:
                return first, second
    return None


def are_collinear(corners: Sequence[Corner]) -> bool:
    """Return whether all corners are on one line."""
    most = COLLINEAR_TOLERANCE * max(max(corner) for corner in corners) ** 2
    return all(
        abs(_turn(a, b, c)) <= most
        for a, b, c in zip(corners, [*corners[1:], corners[0]], [*corners[2:], *corners[:2]], strict=True)
    )


def _folds_back(a: Corner, b: Corner, c: Corner) -> bool:
    """Return whether b to c has no length or goes back along a to b."""
    forward = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return b in {a, c} or (_turn(a, b, c) == 0 and forward < 0)


def _touch(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    """Return whether the segments a to b and c to d have a point in common."""
    turns = _turn(a, b, c), _turn(a, b, d), _turn(c, d, a), _turn(c, d, b)
    if turns[0] * turns[1] < 0 and turns[2] * turns[3] < 0:
        return True
    ends = ((a, b, c), (a, b, d), (c, d, a), (c, d, b))
    return any(turn == 0 and _between(*end) for turn, end in zip(turns, ends, strict=True))


def _turn(a: Corner, b: Corner, c: Corner) -> float:
    """Return the cross product of a to b and a to c: above 0 if c is left of a to b, 0 if it is on its line."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _between(a: Corner, b: Corner, c: Corner) -> bool:
    """Return whether c, which is on the line through a and b, is between them."""
    return min(a[0], b[0]) <= c[0] <= max(a[0], b[0]) and min(a[1], b[1]) <= c[1] <= max(a[1], b[1])
