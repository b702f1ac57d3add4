"""Zones and masks of a camera that can be switched off: their names in topics, and settings without them. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gateway.configuration.drawn_areas import drawn_areas_of
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from camera_sources.camera_settings import CameraSettings
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.objects import FilterSection, ObjectsSection, ZoneSection
    from shared.settings.polygons import Polygon

MASK_PREFIX = "mask_"
"""The beginning of the names of masks in topics. There masks are settings of a camera; no other setting begins so."""

Masked = TypeVar("Masked", "FilterSection", "ObjectsSection")


@dataclass(frozen=True, slots=True)
class SwitchedArea:
    """A zone or a mask with a switch."""

    name: str
    """Its level in topics: the zone's name; for a mask, MASK_PREFIX, the slug of its section, and its number there."""
    title: str
    """The name to show to people."""
    is_zone: bool
    key: str
    """Identifies the area in the state file. The key of a mask contains its corners, so that masks keep their states
    when their order changes."""


def switched_areas(camera: CameraSection, objects: ObjectsSection) -> Iterator[SwitchedArea]:
    """Yield the zones and masks of a camera; `objects` is the section that applies to it."""
    numbers: Counter[str] = Counter()
    for area in drawn_areas_of(camera, objects):
        if area.is_zone:
            yield SwitchedArea(area.name, area.name, is_zone=True, key=_zone_key(area.name))
        else:
            numbers[area.name] += 1
            number = numbers[area.name]
            name, title = f"{MASK_PREFIX}{slug(area.name)}_{number}", f"{area.name} {number}"
            yield SwitchedArea(name, title, is_zone=False, key=_mask_key(area.name, area.polygon))


def zones_off(camera: CameraSection, off: Collection[str]) -> frozenset[str]:
    """Return the zones whose keys are in `off`."""
    return frozenset(name for name in camera.zones if _zone_key(name) in off)


def objects_without(objects: ObjectsSection, off: Collection[str]) -> ObjectsSection:
    """Return the section without the masks whose keys are in `off`."""
    if not off:
        return objects
    masked = _without_masks(objects, "objects", off)
    return masked.model_copy(update={"filters": _filters_without(objects.filters, "", off)})


def zones_without_masks(zones: Mapping[str, ZoneSection], off: Collection[str]) -> dict[str, ZoneSection]:
    """Return the zones; masks whose keys are in `off` are removed from their filters."""
    return {
        name: zone.model_copy(update={"filters": _filters_without(zone.filters, f" in zone {name}", off)})
        if off and zone.filters
        else zone
        for name, zone in zones.items()
    }


def settings_without(settings: CameraSettings, off: Collection[str]) -> CameraSettings:
    """Return the settings of an agent without the motion masks whose keys are in `off`."""
    left = tuple(mask for mask in settings.motion.mask if _mask_key("motion", mask) not in off)
    if left == settings.motion.mask:
        return settings
    return settings.model_copy(update={"motion": settings.motion.model_copy(update={"mask": left})})


def _filters_without(
    filters: Mapping[str, FilterSection], suffix: str, off: Collection[str]
) -> dict[str, FilterSection]:
    return {label: _without_masks(section, f"filter {label}{suffix}", off) for label, section in filters.items()}


def _without_masks(section: Masked, name: str, off: Collection[str]) -> Masked:
    left = tuple(mask for mask in section.mask if _mask_key(name, mask) not in off)
    return section if left == section.mask else section.model_copy(update={"mask": left})


def _zone_key(name: str) -> str:
    return f"zone {name}"


def _mask_key(name: str, polygon: Polygon) -> str:
    return f"mask of {name}: {','.join(f'{x:g},{y:g}' for x, y in polygon)}"
