"""Filters detections by score, size, shape and mask, as Frigate does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from gateway.observation.scene.areas import Area, is_inside, standing_point

if TYPE_CHECKING:
    from gateway.configuration.objects import FilterSection
    from gateway.observation.scene.areas import Image
    from gateway.observation.scene.scene_settings import SceneSettings
    from shared.payloads.cluster import DetectedObject
    from shared.payloads.fields import PictureBox


@dataclass(frozen=True, slots=True)
class BoxLimits:
    """The limits of a box's area, in square pixels, and of its width divided by its height."""

    min_area: float
    max_area: float
    min_ratio: float
    max_ratio: float

    @classmethod
    def from_filter(cls, chosen: FilterSection, image: Image) -> Self:
        """Return the limits of a filter in a picture of this size; area limits up to 1 are fractions of the picture."""
        picture_area = image[0] * image[1]
        min_area = chosen.min_area * picture_area if chosen.min_area <= 1 else chosen.min_area
        max_area = chosen.max_area * picture_area if chosen.max_area <= 1 else chosen.max_area
        return cls(min_area, max_area, chosen.min_ratio, chosen.max_ratio)

    def fit(self, box: PictureBox) -> bool:
        """Return whether a box is within the limits."""
        left, top, right, bottom = box
        width, height = right - left, bottom - top
        return (
            self.min_area <= width * height <= self.max_area
            and self.min_ratio <= width / max(height, 1e-9) <= self.max_ratio
        )

    def misfit(self, box: PictureBox) -> str:
        """Return in words which limit a box exceeds; empty if it is within all limits."""
        left, top, right, bottom = box
        width, height = right - left, bottom - top
        area, ratio = width * height, width / max(height, 1e-9)
        if area < self.min_area:
            return f"its box of {area:.0f} px² is smaller than min_area, {self.min_area:.0f} px² here"
        if area > self.max_area:
            return f"its box of {area:.0f} px² is larger than max_area, {self.max_area:.0f} px² here"
        if ratio < self.min_ratio:
            return f"its box is {ratio:.2f} times as wide as high, less than min_ratio {self.min_ratio:g}"
        if ratio > self.max_ratio:
            return f"its box is {ratio:.2f} times as wide as high, more than max_ratio {self.max_ratio:g}"
        return ""


class ObjectFilters:
    """The filters of one camera, prepared for one picture size."""

    def __init__(self, settings: SceneSettings, image: Image) -> None:
        self._image = image
        self._filters = {label: settings.filter(label) for label in settings.followed}
        self._limits = {label: BoxLimits.from_filter(chosen, image) for label, chosen in self._filters.items()}
        self._masks = {
            label: tuple(Area.from_polygon(polygon, image) for polygon in (*settings.objects.mask, *chosen.mask))
            for label, chosen in self._filters.items()
        }

    def threshold(self, label: str) -> float:
        """Return the median score from which an object counts; infinity for a label that is not followed."""
        return self._filters[label].threshold if label in self._filters else math.inf

    def refusal(self, found: DetectedObject) -> str:
        """Return in words why a detection does not pass the filters; empty if it does."""
        chosen = self._filters.get(found.label)
        if chosen is None:
            return "its label is not followed: objects.track does not name it"
        if found.score < chosen.min_score:
            return f"its score {found.score:.2f} is below min_score {chosen.min_score:.2f}"
        if not self._limits[found.label].fit(found.box):
            return self._limits[found.label].misfit(found.box)
        return "" if self.admit(found) else "it stands in a mask"

    def admit(self, found: DetectedObject) -> bool:
        """Return whether a detection passes the filters, so that the tracker gets it."""
        chosen = self._filters.get(found.label)
        if chosen is None or found.score < chosen.min_score or not self._limits[found.label].fit(found.box):
            return False
        masks = self._masks[found.label]
        return not (masks and is_inside(standing_point(found.box, self._image), masks))
