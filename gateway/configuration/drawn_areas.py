"""Lists the zones and masks of a camera as polygons. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.objects import FilterSection, ObjectsSection
    from shared.settings.polygons import Polygon


@dataclass(frozen=True, slots=True)
class DrawnArea:
    """A zone or a mask. `name` is the zone's name; for a mask, the section that has it: objects, motion, a filter."""

    name: str
    polygon: Polygon
    is_zone: bool = False

    def __str__(self) -> str:
        return f"zone {self.name}" if self.is_zone else f"a mask of {self.name}"


def drawn_areas_of(camera: CameraSection, objects: ObjectsSection) -> Iterator[DrawnArea]:
    """Yield the zones of a camera, then the masks; `objects` is the section that applies to it."""
    for name, zone in camera.zones.items():
        yield DrawnArea(name, zone.coordinates, is_zone=True)
    yield from (DrawnArea("objects", mask) for mask in objects.mask)
    yield from _masks(objects.filters, "")
    for name, zone in camera.zones.items():
        yield from _masks(zone.filters, f" in zone {name}")
    yield from (DrawnArea("motion", mask) for mask in camera.motion.mask)


def _masks(filters: Mapping[str, FilterSection], suffix: str) -> Iterator[DrawnArea]:
    yield from (
        DrawnArea(f"filter {label}{suffix}", mask) for label, section in filters.items() for mask in section.mask
    )
