"""Finds cameras, zones and masks of the configuration that do not fit the actual edges and pictures. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.configuration.drawn_areas import drawn_areas_of
from shared.settings.polygons import is_relative

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.objects import ObjectsSection
    from shared.settings.polygons import Polygon

_MAX_NAMED_EDGES = 8
"""Edges that one sentence names."""


def missing_edges(cameras: Mapping[str, CameraSection], edges: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each camera whose configured edge is not one of the known `edges`."""
    known = ", ".join(sorted(edges)[:_MAX_NAMED_EDGES]) or "none"
    for name, camera in cameras.items():
        if camera.edge is not None and camera.edge not in edges:
            yield f"camera {name}: edge {camera.edge} not found; known edges: {known}"


def places_outside(
    cameras: Mapping[str, CameraSection], sizes: Mapping[str, tuple[int, int]], objects: Mapping[str, ObjectsSection]
) -> Iterator[str]:
    """Yield a sentence for each zone and mask that is completely outside the pictures of its camera.

    `sizes` are the width and height in pixels of the processed pictures, of cameras that have sent one. `objects` are
    the settings that apply to each camera.
    """
    for name, size in sizes.items():
        if name not in cameras:
            continue
        for place in drawn_areas_of(cameras[name], objects[name]):
            if _outside(place.polygon, size):
                yield f"camera {name}: {place} is outside its pictures of {size[0]}x{size[1]} pixels"


def _outside(polygon: Polygon, size: tuple[int, int]) -> bool:
    """Return whether no part of a polygon is inside; a polygon in fractions of the picture always is."""
    columns, rows = [x for x, _ in polygon], [y for _, y in polygon]
    return not is_relative(polygon) and (min(columns) >= size[0] or min(rows) >= size[1])
