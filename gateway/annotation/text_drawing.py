"""Draws text and arrows on a picture, uint8 BGR (H, W, 3). Points (x, y) and sizes of letters are in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import Pixels

Colour = tuple[int, int, int]
PicturePoint = tuple[int, int]

REGULAR, BOLD = 400, 600
"""Weights of letters, from 100 (thin) to 900 (fat)."""

ARROW_TIP = 9
"""Length of an arrow's tip, in pixels."""


def draw_text(
    picture: Pixels, text: str, start: PicturePoint, colour: Colour, size: int, weight: int = REGULAR
) -> None:
    """Draw one line of text from `start`, the left end of its base line; `weight` is from 100 to 900."""
    cv2.putText(picture, text, start, colour, cv2.FontFace("sans"), size, weight)


def draw_text_on_plate(
    picture: Pixels, text: str, centre: PicturePoint, colour: Colour, plate: Colour, size: int
) -> None:
    """Draw one bold line of text in the middle of a plate with round ends."""
    width, height = plate_size(text, size)
    x, y = centre
    half = (width - height) // 2
    cv2.line(picture, (x - half, y), (x + half, y), plate, height, cv2.LINE_AA)
    draw_text(picture, text, (x - text_width(text, size) // 2, y + round(0.36 * size)), colour, size, BOLD)


def plate_size(text: str, size: int) -> tuple[int, int]:
    """Return width and height of the plate under a text."""
    height = round(1.4 * size) | 1
    return max(height, text_width(text, size) + round(0.9 * size)), height


def text_width(text: str, size: int) -> int:
    """Return the width of bold text."""
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("sans"), size, BOLD)
    return int(width)


def shorten_to_width(text: str, width: int, size: int) -> str:
    """Return the text; if it is wider than `width` pixels in bold, only its beginning and end, with … between them."""
    shown, kept = text, len(text)
    while text_width(shown, size) > width and kept > 4:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}…{text[len(text) - kept // 2 :]}"
    return shown


def draw_arrow(picture: Pixels, start: PicturePoint, end: PicturePoint, colour: Colour) -> None:
    """Draw an arrow; its tip has the same size for every length."""
    length = max(ARROW_TIP, float(np.hypot(end[0] - start[0], end[1] - start[1])))
    cv2.arrowedLine(picture, start, end, colour, 2, cv2.LINE_AA, tipLength=ARROW_TIP / length)
