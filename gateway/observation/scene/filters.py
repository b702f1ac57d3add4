"""Filters detections by score, size, shape and mask, as Frigate does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gateway.observation.scene.areas import Area, standing_point

if TYPE_CHECKING:
    from gateway.configuration.objects import FilterSection
    from gateway.observation.scene.areas import Image
    from gateway.observation.scene.scene_settings import SceneSettings
    from shared.payloads.cluster import DetectedObject
    from shared.payloads.fields import PictureBox


class ObjectFilters:
    """The filters of one camera, prepared for one picture size."""

    def __init__(self, settings: SceneSettings, image: Image) -> None:
        self._image = image
        self._filters = {label: settings.filter(label) for label in settings.followed}
        self._masks = {
            label: tuple(Area.from_polygon(polygon, image) for polygon in (*settings.objects.mask, *chosen.mask))
            for label, chosen in self._filters.items()
        }

    def threshold(self, label: str) -> float:
        """Return the median score from which an object counts; infinity for a label that is not followed."""
        return self._filters[label].threshold if label in self._filters else math.inf

    def admit(self, found: DetectedObject) -> bool:
        """Return whether the tracker gets this detection."""
        chosen = self._filters.get(found.label)
        if chosen is None or found.score < chosen.min_score or not box_fits(chosen, found.box, self._image):
            return False
        point = standing_point(found.box, self._image)
        return not any(mask.contains_point(point) for mask in self._masks[found.label])


def box_fits(chosen: FilterSection, box: PictureBox, image: Image) -> bool:
    """Return whether area and ratio are within their limits; area limits up to 1 are fractions of the picture."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    picture_area = image[0] * image[1]
    min_area = chosen.min_area * picture_area if chosen.min_area <= 1 else chosen.min_area
    max_area = chosen.max_area * picture_area if chosen.max_area <= 1 else chosen.max_area
    return min_area <= width * height <= max_area and chosen.min_ratio <= width / max(height, 1e-9) <= chosen.max_ratio
