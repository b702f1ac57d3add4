"""Polygons of masks and zones in the configuration. Pure."""

from __future__ import annotations

from itertools import pairwise
from math import isfinite
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from shared.payloads.frames import MAX_PICTURE_SIDE
from shared.settings.crossings import Corner, are_collinear, find_crossing

if TYPE_CHECKING:
    from collections.abc import Sequence

PolygonSide = tuple[Corner, Corner]

MAX_CORNERS = 200
"""The most corners of a polygon. Every object of every frame is compared with all sides, and nobody draws more."""

SIDE_TOLERANCE = 1e-9
"""A point this near a side counts as on it, relative to the polygon's greatest coordinate: the rounding error."""


def parse_polygon(value: object) -> tuple[Corner, ...]:
    """Return the corners from "x,y,x,y,x,y" (Frigate's format), or a list of numbers, of "x,y" or of pairs.

    Raises ValueError for an invalid polygon: "the mistake; what to do".
    """
    numbers = [_number(part) for part in _flatten(value)]
    if len(numbers) % 2:
        raise ValueError(f"an odd number of numbers ({len(numbers)}); write x,y for each corner")
    corners = list(zip(numbers[::2], numbers[1::2], strict=True))
    if len(corners) > 3 and corners[0] == corners[-1]:
        del corners[-1]  # the last corner repeats the first
    _check(corners)
    return tuple(corners)


def parse_polygons(value: object) -> object:
    """Return several polygons unchanged, and a single one as a list."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple) and value and not _has_several_polygons(value):
        return [value]
    return value


Polygon = Annotated[
    tuple[Corner, ...],
    BeforeValidator(parse_polygon, json_schema_input_type=str | list[float] | list[str] | list[Corner]),
]
"""Three or more corners (x, y), as parts of the picture's size if all are at most 1, otherwise in pixels."""

Polygons = Annotated[
    tuple[Polygon, ...], BeforeValidator(parse_polygons, json_schema_input_type=Polygon | list[Polygon])
]
"""Several polygons; the configuration can have a single one without a list."""


def is_relative(polygon: Polygon) -> bool:
    """Return whether the corners are parts of the picture's size, not pixels."""
    return all(x <= 1 and y <= 1 for x, y in polygon)


def scale_polygon(polygon: Polygon, width: int, height: int) -> Polygon:
    """Return the polygon in pixels of a picture of this size."""
    if not is_relative(polygon):
        return polygon
    return tuple((x * width, y * height) for x, y in polygon)


def polygon_contains(polygon: Polygon, x: float, y: float) -> bool:
    """Return whether a point in the polygon's units is inside, or on a side."""
    return sides_contain(polygon_sides(polygon), side_tolerance(polygon), x, y)


def side_tolerance(polygon: Polygon) -> float:
    """Return how near a side a point counts as on it, in the polygon's units."""
    return SIDE_TOLERANCE * max(max(corner) for corner in polygon)


def sides_contain(sides: Sequence[PolygonSide], near: float, x: float, y: float) -> bool:
    """Return whether a point is between the sides of a polygon, or `near` one. Ray casting, even-odd rule."""
    inside = False
    for (x1, y1), (x2, y2) in sides:
        if _is_on_side(x1, y1, x2, y2, x, y, near):
            return True
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            inside = not inside
    return inside


def polygon_area(polygon: Polygon) -> float:
    """Return the area in the polygon's units squared (shoelace formula)."""
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in polygon_sides(polygon))) / 2


def polygon_sides(polygon: Polygon) -> list[PolygonSide]:
    """Return the sides: from every corner to the next, and from the last to the first."""
    return list(pairwise([*polygon, polygon[0]]))


def _flatten(value: object) -> list[object]:
    """Return the numbers of all corners in one list, not parsed yet."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    if not isinstance(value, list | tuple):
        raise ValueError('not a polygon; write "x,y,x,y,x,y" with three or more corners')  # noqa: TRY004  (pydantic's)
    parts: list[object] = []
    for item in value:
        if isinstance(item, list | tuple):
            if len(item) != 2:
                raise ValueError(f"a corner has {len(item)} numbers; write two, [x, y]")
            parts += item
        else:
            parts += _flatten(item) if isinstance(item, str) else [item]
    return parts


def _has_several_polygons(value: list[object] | tuple[object, ...]) -> bool:
    """Return whether the items of a list are polygons, not corners or numbers."""
    return any(
        (isinstance(item, str) and item.count(",") > 1)
        or (isinstance(item, list | tuple) and (len(item) > 2 or any(isinstance(part, list | tuple) for part in item)))
        for item in value
    )


def _number(part: object) -> float:
    try:
        number = float("nan" if isinstance(part, bool) or not isinstance(part, str | int | float) else part)
    except (ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number):
        raise ValueError('a part is not a number; write "x,y,x,y,x,y", for example "0,0,0.5,0,0.5,1"')
    if not 0 <= number <= MAX_PICTURE_SIDE:
        mistake = "negative" if number < 0 else "larger than any picture"
        raise ValueError(f"{number:g} is {mistake}; write parts of the picture from 0 to 1, or pixels")
    return number


def _check(corners: list[Corner]) -> None:
    if len(corners) < 3:
        raise ValueError(f"{len(corners)} corners enclose no area; write three or more")
    if len(corners) > MAX_CORNERS:
        raise ValueError(f"{len(corners)} corners are too many; write at most {MAX_CORNERS}")
    if are_collinear(corners):
        raise ValueError("its corners are on one line, so it encloses no area; move one of them")
    crossed = find_crossing(polygon_sides(tuple(corners)))
    if crossed is not None:
        first, second = crossed
        raise ValueError(
            f"the sides from corner {first + 1} and from corner {second + 1} cross or touch; "
            "list the corners in their order around it"
        )
    if polygon_area(tuple(corners)) < 1 and not is_relative(tuple(corners)):
        raise ValueError(
            "a number is above 1, so all are pixels, but the area is less than one pixel; "
            "write parts of the picture from 0 to 1, or pixels"
        )


def _is_on_side(x1: float, y1: float, x2: float, y2: float, x: float, y: float, near: float) -> bool:
    """Return whether a point is at most `near` away from a side."""
    along, up = x2 - x1, y2 - y1
    length = (along * along + up * up) ** 0.5
    if abs(along * (y - y1) - up * (x - x1)) > near * length:
        return False
    return min(x1, x2) - near <= x <= max(x1, x2) + near and min(y1, y2) - near <= y <= max(y1, y2) + near
