"""Half-open regions of feature maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

RegionSides = NewType("RegionSides", tuple[int, int, int, int])
"""(top, left, bottom, right) of a region, as messages carry it; boxes in pictures are another type."""


@dataclass(frozen=True, slots=True)
class Region:
    """Rows [top, bottom) and columns [left, right) of a map, in cells of that map."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def whole(cls, height: int, width: int) -> Region:
        return cls(0, 0, height, width)

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def area(self) -> int:
        return max(0, self.height) * max(0, self.width)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the slices (rows, columns) that select the region in an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def sides(self) -> RegionSides:
        """Return (top, left, bottom, right)."""
        return RegionSides((self.top, self.left, self.bottom, self.right))

    def relative_to(self, top: int, left: int) -> Region:
        """Return the region in coordinates relative to a cell of the map."""
        return Region(self.top - top, self.left - left, self.bottom - top, self.right - left)

    def overlap(self, other: Region) -> Region | None:
        """Return the intersection; None when it is empty."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Region(top, left, bottom, right) if top < bottom and left < right else None

    def hull(self, other: Region) -> Region:
        """Return the smallest region that contains both."""
        return Region(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def clip(self, height: int, width: int) -> Region:
        """Return the part inside a map of `height` x `width` cells, or the nearest cell when no part is inside."""
        top, left = min(max(self.top, 0), height - 1), min(max(self.left, 0), width - 1)
        return Region(top, left, max(min(self.bottom, height), top + 1), max(min(self.right, width), left + 1))
