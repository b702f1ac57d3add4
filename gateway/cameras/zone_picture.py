"""Draws a grid of tenths, and the configured zones and masks, on a camera's picture, to read coordinates from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from gateway.annotation.text_drawing import draw_text_on_plate, plate_size
from shared.settings.polygons import scale_polygon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from gateway.annotation.text_drawing import Colour
    from gateway.configuration.drawn_areas import DrawnArea
    from shared.model.arrays import Pixels

    Points = NDArray[np.int32]

MIN_SHOT_WIDTH = 960
"""Width in pixels below which a picture is enlarged, so that its labels are readable and cover little of it."""

MAX_SHOT_HEIGHT = 4 * MIN_SHOT_WIDTH
"""Largest height of an enlarged picture, in pixels."""

TENTHS = range(1, 10)

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
ZONE_COLOURS = ((80, 220, 80), (255, 170, 60), (60, 190, 255), (230, 110, 230), (230, 230, 70))
"""BGR; used in turn."""
MASK_COLOUR = (60, 60, 255)

SHADE = 0.25
"""Share of a zone's or mask's colour in the pixels inside it, from 0 to 1."""


def draw_shot(picture: Pixels, places: Iterable[DrawnArea]) -> Pixels:
    """Return a copy of a picture, uint8 BGR (H, W, 3), with a grid, zones and masks; a small picture is enlarged."""
    drawn = _enlarged(picture)
    places = list(places)
    colours = _colours(places)
    height, width = drawn.shape[:2]
    corners = [_corners(place, (picture.shape[1], picture.shape[0]), (width, height)) for place in places]
    for polygon, colour in zip(corners, colours, strict=True):
        _shade(drawn, polygon, colour)
    _grid(drawn)
    for polygon, colour in zip(corners, colours, strict=True):
        cv2.polylines(drawn, [polygon], isClosed=True, color=BLACK, thickness=5, lineType=cv2.LINE_AA)
        cv2.polylines(drawn, [polygon], isClosed=True, color=colour, thickness=2, lineType=cv2.LINE_AA)
    for place, polygon, colour in zip(places, corners, colours, strict=True):
        name = place.name if place.is_zone else f"mask: {place.name}"
        centre = _middle(polygon, plate_size(name, _letter_height(drawn)), (width, height))
        draw_text_on_plate(drawn, name, centre, BLACK, colour, _letter_height(drawn))
    _tenths(drawn)
    return drawn


def _enlarged(picture: Pixels) -> Pixels:
    """Return a copy enlarged by an integer factor; the factor is smaller if the copy would become too high."""
    height, width = picture.shape[:2]
    times = max(1, min(-(-MIN_SHOT_WIDTH // width), MAX_SHOT_HEIGHT // height))
    return cast("Pixels", np.ascontiguousarray(picture.repeat(times, axis=0).repeat(times, axis=1)))


def _grid(drawn: Pixels) -> None:
    """Draw the grid, each line light on dark, so that it is visible on any picture."""
    height, width = drawn.shape[:2]
    for tenth in TENTHS:
        x, y = round(tenth / 10 * width), round(tenth / 10 * height)
        light = 2 if tenth == 5 else 1
        for colour, thickness in ((BLACK, light + 2), (WHITE, light)):
            cv2.line(drawn, (x, 0), (x, height), colour, thickness)
            cv2.line(drawn, (0, y), (width, y), colour, thickness)


def _tenths(drawn: Pixels) -> None:
    """Write the tenths at all four sides: x at the top and the bottom, y at the left and the right."""
    height, width = drawn.shape[:2]
    size = _letter_height(drawn)
    for tenth in TENTHS:
        text, x, y = f"0.{tenth}", round(tenth / 10 * width), round(tenth / 10 * height)
        for place in ((x, size), (x, height - size), (round(1.3 * size), y), (width - round(1.3 * size), y)):
            draw_text_on_plate(drawn, text, place, WHITE, BLACK, size)


def _letter_height(drawn: Pixels) -> int:
    """Return the height of letters, in pixels, at which nine labels fit side by side and are readable."""
    return max(14, drawn.shape[1] // 64)


def _corners(place: DrawnArea, size: tuple[int, int], shown: tuple[int, int]) -> Points:
    """Return the corners of an area in a picture of `size`, scaled to the `shown` size: int32 (corners, 2), x and y.

    Both sizes are width and height in pixels.
    """
    corners = np.array(scale_polygon(place.polygon, *size)) / np.array(size) * np.array(shown)
    return cast("Points", np.rint(corners).astype(np.int32))


def _shade(drawn: Pixels, polygon: Points, colour: Colour) -> None:
    inside = cv2.fillPoly(np.zeros(drawn.shape[:2], np.uint8), [polygon], 1).astype(bool)
    drawn[inside] = (drawn[inside] * (1 - SHADE) + np.array(colour) * SHADE).astype(np.uint8)


def _middle(polygon: Points, plate: tuple[int, int], shown: tuple[int, int]) -> tuple[int, int]:
    """Return the centre (x, y) for a plate: the mean of the polygon's corners, moved so that the plate is inside."""
    x, y = (
        round(min(max(middle, own / 2), whole - own / 2))
        for middle, own, whole in zip(polygon.mean(axis=0), plate, shown, strict=True)
    )
    return x, y


def _colours(places: Iterable[DrawnArea]) -> list[Colour]:
    """Return a colour for each place: zones differ, all masks have the same."""
    colours, zones = [], 0
    for place in places:
        colours.append(ZONE_COLOURS[zones % len(ZONE_COLOURS)] if place.is_zone else MASK_COLOUR)
        zones += place.is_zone
    return colours
