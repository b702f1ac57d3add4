"""Draws snapshots of detected objects, small enough for the broker."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from gateway.annotation.boxes import annotate
from gateway.annotation.text_drawing import draw_text_on_plate, plate_size
from shared.payloads.cluster import DetectedObject
from shared.payloads.fields import PictureBox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.configuration.cameras import SnapshotsSection
    from shared.model.arrays import Pixels
    from shared.payloads.observations import FollowedObject

MAX_SNAPSHOT_BYTES = 900_000
"""Size of a JPEG. The bus accepts messages of at most 1,000,000 bytes, the broker of 1,048,576."""

QUALITY_STEP, LOWEST_QUALITY = 20, 40
"""The JPEG quality of a picture that is too large is lowered in these steps to the lowest. Below that, a picture of
half the size would show more."""

MIN_CLOSE_UP_PART = 0.5
"""A close-up has at least this share of the picture's height and width, because the surroundings matter, too."""

_CLOSE_UP_MARGIN = 0.15
"""Margin of a close-up on each side, as a share of the box's size."""

LETTERS_PART, SMALLEST_LETTERS = 1 / 28, 7
"""The timestamp's letters: their size as a share of the picture's height, and the smallest readable size in pixels."""

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A JPEG of at most MAX_SNAPSHOT_BYTES, and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


def render_snapshot(
    picture: Pixels, objects: Sequence[FollowedObject], settings: SnapshotsSection, captured_at: float
) -> Snapshot:
    """Return a snapshot of `picture`, uint8 BGR (H, W, 3), of the configured height, but not higher than the picture.

    Boxes of objects are in pixels of the picture; `captured_at` is in seconds since 1970, and shown as local time. It
    takes some milliseconds, for large pictures tens of them: call it in a thread.
    """
    height = min(settings.height, picture.shape[0])
    width = max(1, round(picture.shape[1] * height / picture.shape[0]))
    while True:
        drawn = _draw(picture, objects, (width, height), settings, captured_at)
        for quality in range(settings.quality, min(settings.quality, LOWEST_QUALITY) - 1, -QUALITY_STEP):
            _, data = cv2.imencode(".jpg", drawn, (cv2.IMWRITE_JPEG_QUALITY, quality))
            if data.size <= MAX_SNAPSHOT_BYTES:
                return Snapshot(data.tobytes(), width, height)
        width, height = max(1, width // 2), max(1, height // 2)


def render_object_snapshot(
    picture: Pixels, found: FollowedObject, settings: SnapshotsSection, captured_at: float
) -> Snapshot:
    """Return a snapshot of the part of the picture around one object; arguments as in `render_snapshot`."""
    part, shifted = close_up(picture, found)
    return render_snapshot(part, [shifted], settings, captured_at)


def close_up(picture: Pixels, found: FollowedObject) -> tuple[Pixels, FollowedObject]:
    """Return a view of the part of the picture around an object, and the object with its boxes in that part.

    The part has the picture's proportions, contains the box with a margin as far as the picture reaches, and is at
    least a quarter of the picture.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = _cut_to_picture(found.box, width, height)
    margins = 1 + 2 * _CLOSE_UP_MARGIN
    part = min(1.0, max(MIN_CLOSE_UP_PART, margins * (right - left) / width, margins * (bottom - top) / height))
    part_width, part_height = max(1, round(width * part)), max(1, round(height * part))
    start = _centred_start(left + right, part_width, width)
    base = _centred_start(top + bottom, part_height, height)
    box = (left - start, top - base, right - start, bottom - base)
    box_rel = (box[0] / part_width, box[1] / part_height, box[2] / part_width, box[3] / part_height)
    shifted = found.model_copy(update={"box": box, "box_rel": box_rel})
    return picture[base : base + part_height, start : start + part_width], shifted


def _cut_to_picture(box: PictureBox, width: int, height: int) -> PictureBox:
    """Return the box, cut to the picture: a predicted box may extend beyond it."""
    left, top, right, bottom = box
    return PictureBox(
        (min(max(left, 0), width), min(max(top, 0), height), min(max(right, 0), width), min(max(bottom, 0), height))
    )


def _centred_start(ends: float, length: int, available: int) -> int:
    """Return the start of a part of this length that is centred between two ends and within `available`.

    `ends` is the sum of the two ends. All are in pixels along one axis.
    """
    return min(max(round((ends - length) / 2), 0), available - length)


def _draw(
    picture: Pixels,
    objects: Sequence[FollowedObject],
    size: tuple[int, int],
    settings: SnapshotsSection,
    captured_at: float,
) -> Pixels:
    width, height = size
    drawn: Pixels = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if settings.bounding_box:
        scales = (width / picture.shape[1], height / picture.shape[0]) * 2
        drawn = annotate(drawn, [_scaled(found, scales) for found in objects])
    if settings.timestamp:
        _write_time(drawn, captured_at)
    return drawn


def _scaled(found: FollowedObject, scales: tuple[float, ...]) -> DetectedObject:
    left, top, right, bottom = (value * scale for value, scale in zip(found.box, scales, strict=True))
    return DetectedObject(label=found.label, score=found.score, box=(left, top, right, bottom), box_rel=found.box_rel)


def _write_time(picture: Pixels, captured_at: float) -> None:
    """Write the time on a plate in the lower left corner, as large as fits."""
    height, width = picture.shape[:2]
    text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(captured_at))
    size = max(SMALLEST_LETTERS, round(height * LETTERS_PART))
    while plate_size(text, size)[0] > width and size > SMALLEST_LETTERS:
        size -= 1
    plate_width, plate_height = plate_size(text, size)
    if plate_width <= width and plate_height <= height:
        centre = (plate_width // 2 + 1, height - plate_height // 2 - 1)
        draw_text_on_plate(picture, text, centre, WHITE, BLACK, size)
