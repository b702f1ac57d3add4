"""Places labels in a picture so that none covers another. Pure."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Plate = tuple[int, int, int, int]
"""Left, top, right, bottom of a label in pixels, right and bottom exclusive."""

MAX_STEPS = 40
"""A label is moved by at most this many times its height. Where that is not enough, labels cover each other."""


def place_plate(
    box: tuple[float, float, float, float], size: tuple[int, int], picture: tuple[int, int], taken: Sequence[Plate]
) -> Plate:
    """Return the place for the label of a box: above it, else at another of its sides, else as near as there is room.

    `box` is left, top, right, bottom, `size` and `picture` are width and height, all in pixels; `taken` are the places
    of other labels. The label is inside of the picture if it fits.
    """
    places = (_inside(corner, size, picture) for corner in _corners(box, size))
    best = next(places)  # mostly this place is free, or one of the next: `places` computes no more than are tried
    return next((plate for plate in chain([best], places) if not any(_overlap(plate, other) for other in taken)), best)


def _corners(box: tuple[float, float, float, float], size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield possible places (x, y) for the left upper corner of a box's label, the best first."""
    left, top, right, bottom = (round(value) for value in box)
    width, height = size
    yield left, top - height
    yield left, bottom
    yield left, top
    yield right - width, top - height
    yield right, top
    yield left - width, top
    for step in range(1, MAX_STEPS):
        yield left, top + step * height
        yield left, top - (step + 1) * height
        yield right, top + step * height


def _inside(corner: tuple[int, int], size: tuple[int, int], picture: tuple[int, int]) -> Plate:
    (left, top), (width, height) = corner, size
    left, top = max(0, min(left, picture[0] - width)), max(0, min(top, picture[1] - height))
    return left, top, left + width, top + height


def _overlap(plate: Plate, other: Plate) -> bool:
    return plate[0] < other[2] and other[0] < plate[2] and plate[1] < other[3] and other[1] < plate[3]
