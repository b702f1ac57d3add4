"""Which detections are looked at: Frigate's filters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from shared.polygons import contains, scaled

if TYPE_CHECKING:
    from gateway.configuration.objects import Filter
    from gateway.scene.settings import SceneSettings
    from gateway.tracking.motion import Box
    from shared.messages import DetectedObject
    from shared.polygons import Polygon

Image = tuple[int, int]
"""width, height in pixels"""


class Filters:
    """The filters of one camera, made ready for one size of its picture."""

    def __init__(self, settings: SceneSettings, image: Image) -> None:
        self._image = image
        self._filters = {label: settings.filter(label) for label in settings.followed}
        self._masks = {
            label: masks(settings.objects.mask + chosen.mask, image) for label, chosen in self._filters.items()
        }

    def threshold(self, label: str) -> float:
        """What the median of its scores must reach; nothing does of a label that is not followed."""
        return self._filters[label].threshold if label in self._filters else math.inf

    def admit(self, found: DetectedObject) -> bool:
        """Whether the tracker may see it."""
        chosen = self._filters.get(found.label)
        if chosen is None or found.score < chosen.min_score or not fits(chosen, found.box, self._image):
            return False
        return not hidden(self._masks[found.label], foot(found.box, self._image))


def fits(chosen: Filter, box: Box, image: Image) -> bool:
    """Whether area and ratio are right; limits of the area up to 1 are parts of the picture."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    whole = image[0] * image[1]
    least = chosen.min_area * whole if chosen.min_area <= 1 else chosen.min_area
    most = chosen.max_area * whole if chosen.max_area <= 1 else chosen.max_area
    return least <= width * height <= most and chosen.min_ratio <= width / max(height, 1e-9) <= chosen.max_ratio


def foot(box: Box, image: Image) -> tuple[float, float]:
    """The middle of the bottom edge, where an object stands; inside the picture, which boxes may leave by rounding."""
    left, _, right, bottom = box
    return min(max((left + right) / 2, 0.0), image[0]), min(max(bottom, 0.0), image[1])


def masks(polygons: tuple[Polygon, ...], image: Image) -> tuple[Polygon, ...]:
    """In pixels of the picture."""
    return tuple(scaled(polygon, *image) for polygon in polygons)


def hidden(polygons: tuple[Polygon, ...], point: tuple[float, float]) -> bool:
    """Whether a point is in one of them."""
    return any(contains(polygon, *point) for polygon in polygons)
