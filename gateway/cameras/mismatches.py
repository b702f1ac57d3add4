"""What a configuration says of cameras that does not fit the edges and pictures that there are. Pure."""

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
"""Edges that a sentence names."""


def missing_edges(cameras: Mapping[str, CameraSection], edges: Collection[str]) -> Iterator[str]:
    """Return a sentence for each camera that names an edge of which nobody has heard; `edges` are those known."""
    there = ", ".join(sorted(edges)[:_MAX_NAMED_EDGES]) or "none"
    for name, camera in cameras.items():
        if camera.edge is not None and camera.edge not in edges:
            yield f"camera {name}: there is no edge {camera.edge}; there are {there}"


def places_outside(
    cameras: Mapping[str, CameraSection], sizes: Mapping[str, tuple[int, int]], objects: Mapping[str, ObjectsSection]
) -> Iterator[str]:
    """Return a sentence for each zone and mask that lies wholly outside the pictures of its camera.

    `sizes` are those of pictures as they are looked at, of the cameras that have given one; `objects` are what counts
    for each camera.
    """
    for name, size in sizes.items():
        if name not in cameras:
            continue
        for place in drawn_areas_of(cameras[name], objects[name]):
            if _outside(place.polygon, size):
                yield f"camera {name}: {place} is outside its pictures of {size[0]}x{size[1]} pixels"


def _outside(polygon: Polygon, size: tuple[int, int]) -> bool:
    """Return whether no part of a polygon is inside; one in parts of the picture is always inside."""
    columns, rows = [x for x, _ in polygon], [y for _, y in polygon]
    return not is_relative(polygon) and (min(columns) >= size[0] or min(rows) >= size[1])
