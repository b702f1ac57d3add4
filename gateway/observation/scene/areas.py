"""Polygons made ready for one size of the picture, and points in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from shared.payloads.fields import PictureBox
from shared.settings.polygons import polygon_contains, scale_polygon

if TYPE_CHECKING:
    from shared.settings.polygons import Polygon

Image = tuple[int, int]
"""width, height in pixels"""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon in pixels, and the box around it: most points are not even there."""

    polygon: Polygon
    around: PictureBox

    @classmethod
    def from_polygon(cls, polygon: Polygon, image: Image) -> Self:
        """Parts of the picture go with its size; pixels are of the picture as it comes, whatever its size."""
        corners = scale_polygon(polygon, *image)
        xs, ys = zip(*corners, strict=True)
        return cls(corners, PictureBox((min(xs) - 1, min(ys) - 1, max(xs) + 1, max(ys) + 1)))

    def contains_point(self, point: Point) -> bool:
        """Whether a point is inside; the sides are."""
        left, top, right, bottom = self.around
        x, y = point
        return left <= x <= right and top <= y <= bottom and polygon_contains(self.polygon, x, y)


def standing_point(box: PictureBox, image: Image) -> Point:
    """The middle of the bottom edge, where an object stands; inside the picture, which boxes may leave by rounding."""
    left, _, right, bottom = box
    return min(max((left + right) / 2, 0.0), image[0]), min(max(bottom, 0.0), image[1])
