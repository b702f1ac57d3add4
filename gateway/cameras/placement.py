"""Which edge serves which camera, pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def place(wishes: Mapping[str, str | None], nodes: Collection[str], current: Mapping[str, str]) -> dict[str, str]:
    """The node of each camera, of those that are there; a camera that has none is left out.

    `wishes` are the nodes that cameras ask for, None for any. A camera stays where it is while that node is there;
    others go to whoever has the fewest.
    """
    placed = {camera: node for camera, node in wishes.items() if node is not None and node in nodes}
    free = [camera for camera, node in sorted(wishes.items()) if node is None]
    placed |= {camera: current[camera] for camera in free if current.get(camera) in nodes}
    load = Counter(placed.values())
    for camera in free:
        if camera not in placed and nodes:
            node = min(sorted(nodes), key=lambda name: load[name])
            placed[camera] = node
            load[node] += 1
    return placed
