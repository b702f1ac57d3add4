"""Words and arrows on a picture, uint8 BGR (H, W, 3). Places are (x, y) in pixels, sizes of letters too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from shared.model.arrays import Pixels

Colour = tuple[int, int, int]
PicturePoint = tuple[int, int]

REGULAR, BOLD = 400, 600
ARROW_TIP = 9


def draw_text(
    picture: Pixels, words: str, start: PicturePoint, colour: Colour, size: int, weight: int = REGULAR
) -> None:
    """One line from `start`, the left end of its base line; `weight` from 100 to 900."""
    cv2.putText(picture, words, start, colour, cv2.FontFace("sans"), size, weight)


def draw_text_on_plate(
    picture: Pixels, words: str, centre: PicturePoint, colour: Colour, plate: Colour, size: int
) -> None:
    """One bold line in the middle of a plate with round ends."""
    width, height = plate_size(words, size)
    x, y = centre
    half = (width - height) // 2
    cv2.line(picture, (x - half, y), (x + half, y), plate, height, cv2.LINE_AA)
    draw_text(picture, words, (x - text_width(words, size) // 2, y + round(0.36 * size)), colour, size, BOLD)


def plate_size(words: str, size: int) -> tuple[int, int]:
    """Width and height of the plate under words."""
    height = round(1.4 * size) | 1
    return max(height, text_width(words, size) + round(0.9 * size)), height


def text_width(words: str, size: int) -> int:
    """Width of bold words."""
    _, _, width, _ = cv2.getTextSize((0, 0), words, (0, 0), cv2.FontFace("sans"), size, BOLD)
    return int(width)


def shorten_to_width(words: str, width: int, size: int) -> str:
    """The words, or their beginning and end, so that they are no wider than `width` in bold."""
    shown, kept = words, len(words)
    while text_width(shown, size) > width and kept > 4:
        kept -= 1
        shown = f"{words[: (kept + 1) // 2]}…{words[len(words) - kept // 2 :]}"
    return shown


def draw_arrow(picture: Pixels, start: PicturePoint, end: PicturePoint, colour: Colour) -> None:
    """A line with a tip of the same size whatever its length."""
    length = max(ARROW_TIP, float(np.hypot(end[0] - start[0], end[1] - start[1])))
    cv2.arrowedLine(picture, start, end, colour, 2, cv2.LINE_AA, tipLength=ARROW_TIP / length)
