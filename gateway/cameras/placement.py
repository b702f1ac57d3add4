"""Decides which edge serves which camera. Pure: the caller gives the time, in monotonic seconds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

EDGES_RETURN_S = 15.0
"""Edges of the last run have this long to return after a start; otherwise the first edge would get all cameras."""

CAMERA_MOVE_PERIOD_S = 60.0
"""At most one camera is moved in this time, because moving it costs some seconds of pictures."""


class Placement:
    """Remembers the edge of each camera. `known` edges and the `placed` cameras are from the gateway's last run."""

    def __init__(self, known: Collection[str], placed: Mapping[str, str], now: float) -> None:
        self._placed = dict(placed)
        self._awaited = set(known)
        self._wait_until = now + EDGES_RETURN_S
        self._move_at = self._wait_until + CAMERA_MOVE_PERIOD_S

    def place(self, wishes: Mapping[str, str | None], nodes: Collection[str], now: float) -> dict[str, str]:
        """Return the edge of each camera, one of `nodes`; a camera without an edge is left out.

        `wishes` are, by camera, the edges that the configuration names; None: any edge. A camera stays at its edge as
        long as that is one of `nodes`. Cameras without an edge go to the one with the fewest cameras, but only after
        the edges of the last run have had time to return.
        """
        self._awaited -= set(nodes)
        if now >= self._wait_until:
            self._awaited.clear()
        waiting = bool(self._awaited)
        placed = {camera: node for camera, node in wishes.items() if node is not None and node in nodes}
        free = [camera for camera, node in sorted(wishes.items()) if node is None]
        placed |= {camera: self._placed[camera] for camera in free if self._placed.get(camera) in nodes}
        kept = {camera: node for camera, node in self._placed.items() if waiting and node in self._awaited}
        load = Counter(placed.values())
        for camera in free:
            if camera not in placed and nodes and not waiting:
                node = min(sorted(nodes), key=lambda name: load[name])
                placed[camera] = node
                load[node] += 1
        self._placed = {**kept, **placed}
        return placed

    @property
    def awaited(self) -> frozenset[str]:
        """Return the edges of the gateway's last run that may still return."""
        return frozenset(self._awaited)

    @property
    def placed(self) -> dict[str, str]:
        """Return the edge of each camera; for a camera that waits for its edge to return, that edge."""
        return dict(self._placed)

    def rebalance(
        self, wishes: Mapping[str, str | None], nodes: Collection[str], busy: Collection[str], now: float
    ) -> bool:
        """Move one camera from an edge with many to the edge with the fewest; return whether one was moved.

        A camera is moved at most once in CAMERA_MOVE_PERIOD_S, and only if the numbers differ by more than one. Cameras
        whose edge is configured are not moved, nor are `busy` ones, which have an open event.
        """
        if now < self._move_at or not nodes:
            return False
        load = Counter(dict.fromkeys(nodes, 0))
        load.update(node for camera, node in self._placed.items() if node in nodes and camera in wishes)
        fewest = min(sorted(nodes), key=lambda name: load[name])
        for fullest in sorted(nodes, key=lambda name: (-load[name], name)):
            if load[fullest] - load[fewest] <= 1:
                return False
            for camera, node in sorted(self._placed.items()):
                if node == fullest and camera in wishes and wishes[camera] is None and camera not in busy:
                    self._placed[camera] = fewest
                    self._move_at = now + CAMERA_MOVE_PERIOD_S
                    return True
        return False
