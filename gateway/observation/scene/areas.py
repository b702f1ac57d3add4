"""Scales polygons to the pixels of a picture, and tests whether points are in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.payloads.fields import PictureBox
from shared.settings.polygons import polygon_sides, scale_polygon, side_tolerance, sides_contain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.settings.polygons import Polygon, PolygonSide

Image = tuple[int, int]
"""Width, height of a picture in pixels."""

Point = tuple[float, float]
"""x, y in pixels."""


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon in pixels. The box around it excludes most points quickly."""

    sides: Sequence[PolygonSide]
    tolerance: float
    """Distance in pixels up to which a point counts as on a side."""
    around: PictureBox

    @classmethod
    def from_polygon(cls, polygon: Polygon, image: Image) -> Self:
        """Return the area of a polygon, whose coordinates are fractions of the picture, or pixels of this size."""
        corners = scale_polygon(polygon, *image)
        xs, ys = zip(*corners, strict=True)
        around = PictureBox((min(xs) - 1, min(ys) - 1, max(xs) + 1, max(ys) + 1))
        return cls(polygon_sides(corners), side_tolerance(corners), around)

    def contains_point(self, point: Point) -> bool:
        """Return whether a point is inside, or on a side."""
        left, top, right, bottom = self.around
        x, y = point
        return left <= x <= right and top <= y <= bottom and sides_contain(self.sides, self.tolerance, x, y)


def is_inside(point: Point, areas: Iterable[Area]) -> bool:
    """Return whether a point is inside one of the areas, or on a side."""
    return any(area.contains_point(point) for area in areas)


def standing_point(box: PictureBox, image: Image) -> Point:
    """Return the middle of a box's bottom edge, where the object stands; moved into the picture if it is outside."""
    left, _, right, bottom = box
    return min(max((left + right) / 2, 0.0), image[0]), min(max(bottom, 0.0), image[1])
