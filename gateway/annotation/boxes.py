"""Draws detected objects into a picture."""

from __future__ import annotations

import colorsys
import zlib
from typing import TYPE_CHECKING

import cv2

from gateway.annotation.label_places import place_plate
from shared.errors import SourceError
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from gateway.annotation.label_places import Plate
    from shared.model.arrays import Pixels
    from shared.payloads.cluster import DetectedObject

FONT = cv2.FONT_HERSHEY_SIMPLEX


def annotate(picture: Pixels, objects: Iterable[DetectedObject]) -> Pixels:
    """Return a copy of `picture`, uint8 BGR (H, W, 3), with boxes, labels and scores.

    Labels are placed side by side, so that none covers another one as long as there is room.
    """
    drawn = picture.copy()
    size = max(picture.shape[:2])
    thickness, scale = max(1, round(size / 400)), max(0.4, size / 1500)
    objects = list(objects)
    for found in objects:
        left, top, right, bottom = (round(value) for value in found.box)
        cv2.rectangle(drawn, (left, top), (right, bottom), _colour(found.label), thickness)
    taken: list[Plate] = []
    for found in objects:
        text = f"{found.label} {found.score:.2f}"
        (width, height), below = cv2.getTextSize(text, FONT, scale, 1)
        plate = place_plate(found.box, (width, height + below), (picture.shape[1], picture.shape[0]), taken)
        taken.append(plate)
        left, top, right, bottom = plate
        cv2.rectangle(drawn, (left, top), (right, bottom), _colour(found.label), cv2.FILLED)
        cv2.putText(drawn, text, (left, bottom - below // 2), FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return drawn


def write_picture(path: Path, picture: Pixels) -> None:
    """Write PNG or JPEG, depending on the name's ending, completely or not at all. Raises SourceError."""
    try:
        done, data = cv2.imencode(path.suffix, picture)
    except cv2.error:
        done = False
    if not done:
        raise SourceError(f"{path}: invalid name of a picture; it must end in .png or .jpg")
    try:
        write_whole(path, data.tobytes(), durable=False, mode=None)
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {system_reason(error)}") from error


def _colour(label: str) -> tuple[int, int, int]:
    """Return a bright colour, BGR, always the same for a label."""
    hue = (zlib.crc32(label.encode()) % 360) / 360
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.65, 1.0)
    return round(blue * 255), round(green * 255), round(red * 255)
