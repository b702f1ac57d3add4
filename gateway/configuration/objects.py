"""Which objects count: labels, filters and zones, with Frigate's names and meanings."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from gateway.configuration.names import Label, LabelList, require_distinct
from shared.settings.durations import Seconds
from shared.settings.polygons import Polygon, Polygons
from shared.settings.section import Section


class FilterSection(Section):
    """An object of a label counts when all of these hold. Areas are of its box, in pixels, or parts up to 1."""

    min_area: float = Field(default=0.0, ge=0)
    """The least area of its box: pixels, or up to 1 a part of the picture."""
    max_area: float = Field(default=24_000_000.0, gt=0)
    """The greatest area of its box: pixels, or up to 1 a part of the picture."""
    min_ratio: float = Field(default=0.0, ge=0)
    """The least width by height of its box."""
    max_ratio: float = Field(default=24_000_000.0, gt=0)
    """The greatest width by height of its box."""
    min_score: float = Field(default=0.5, ge=0, le=1)
    """A detection with less is not looked at."""
    threshold: float = Field(default=0.7, ge=0, le=1)
    """The median of a track's scores must reach it before the object counts."""
    mask: Polygons = ()
    """Where the middle of the bottom edge of its box must not be."""

    @model_validator(mode="after")
    def something_fits(self) -> FilterSection:
        """Raises ValueError when no object can pass."""
        if self.min_ratio > self.max_ratio:
            raise ValueError("min_ratio is above max_ratio, so nothing fits; exchange them")
        if (self.min_area <= 1) == (self.max_area <= 1) and self.min_area > self.max_area:
            raise ValueError("min_area is above max_area, so nothing fits; exchange them")
        return self


FiltersByLabel = Annotated[dict[Label, FilterSection], AfterValidator(require_distinct)]


class ObjectsSection(Section):
    """Which labels are followed, and when."""

    track: LabelList = ("person",)
    """Labels that are followed."""
    filters: FiltersByLabel = Field(default_factory=dict)
    """What an object must be to count, by label."""
    mask: Polygons = ()
    """As in a filter, for all labels."""


class ZoneSection(Section):
    """A part of the picture with a name; an object is in it when the middle of the bottom edge of its box is."""

    coordinates: Polygon
    """Its corners, "x,y,x,y,x,y": parts of the picture when all are at most 1, else pixels."""
    objects: LabelList = ()
    """Labels that count here; empty: all that are followed."""
    filters: FiltersByLabel = Field(default_factory=dict)
    """By label, in the place of the camera's, here."""
    inertia: int = Field(default=3, ge=1, le=100)
    """Frames in a row that an object must be there before it counts as in the zone."""
    loitering_time: Seconds = Field(default=0.0, ge=0, le=86400)
    """Seconds that an object must stay there before it counts."""
