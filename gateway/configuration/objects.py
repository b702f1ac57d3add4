"""Sections of labels, filters and zones, with Frigate's names and meanings."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from gateway.configuration.names import Label, LabelList, require_distinct
from shared.settings.durations import Seconds
from shared.settings.polygons import Polygon, Polygons
from shared.settings.section import Section


class FilterSection(Section):
    """Conditions for objects of one label; all must hold."""

    min_area: float = Field(default=0.0, ge=0)
    """Minimum area of the box: pixels; up to 1 it is a fraction of the picture."""
    max_area: float = Field(default=24_000_000.0, gt=0)
    """Maximum area of the box: pixels; up to 1 it is a fraction of the picture."""
    min_ratio: float = Field(default=0.0, ge=0)
    """Minimum width ÷ height of the box."""
    max_ratio: float = Field(default=24_000_000.0, gt=0)
    """Maximum width ÷ height of the box."""
    min_score: float = Field(default=0.5, ge=0, le=1)
    """Detections with a lower score are ignored."""
    threshold: float = Field(default=0.7, ge=0, le=1)
    """The median of an object's scores must reach this before the object counts."""
    mask: Polygons = ()
    """Areas where an object does not count: the middle of the bottom edge of its box must be outside."""

    @model_validator(mode="after")
    def something_fits(self) -> FilterSection:
        """Raise ValueError when no object can pass."""
        if self.min_ratio > self.max_ratio:
            raise ValueError("min_ratio is greater than max_ratio, so nothing fits; swap them")
        if (self.min_area <= 1) == (self.max_area <= 1) and self.min_area > self.max_area:
            raise ValueError("min_area is greater than max_area, so nothing fits; swap them")
        return self


FiltersByLabel = Annotated[dict[Label, FilterSection], AfterValidator(require_distinct)]


class ObjectsSection(Section):
    """Labels that are followed, and their filters."""

    track: LabelList = ("person",)
    """Labels that are followed."""
    filters: FiltersByLabel = Field(default_factory=dict)
    """Conditions for an object to count, by label."""
    mask: Polygons = ()
    """Areas where no object counts, as in a filter."""


class ZoneSection(Section):
    """A part of the picture with a name. An object is in it when the middle of the bottom edge of its box is."""

    coordinates: Polygon
    """Its corners, "x,y,x,y,x,y": fractions of the picture if all are at most 1, else pixels."""
    objects: LabelList = ()
    """Labels that count here; empty: all that are followed."""
    filters: FiltersByLabel = Field(default_factory=dict)
    """Conditions by label; they replace the camera's in this zone."""
    inertia: int = Field(default=3, ge=1, le=100)
    """Frames in a row with the object in the zone before it counts as in the zone."""
    loitering_time: Seconds = Field(default=0.0, ge=0, le=86400)
    """Seconds that an object must stay in the zone before it counts."""
