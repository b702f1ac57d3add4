"""The figures of cameras as edges report them: an edge may report the cameras that it serves, and no others. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shared.payloads.cluster import CameraStats

MAX_REPORTING_CAMERAS = 1000
"""Cameras whose edge is remembered; a gateway serves at most a quarter as many."""

MAX_CAMERAS_OF_EDGE = 64
"""Cameras that one edge reports: more than any device can read. One that invents names stops there."""


class CameraReports:
    """Decides whose reports count."""

    def __init__(self, placed: Callable[[str], str | None], present: Callable[[], Collection[str]]) -> None:
        """`placed` returns the edge that was given a camera; `present` returns the edges that are online."""
        self._placed = placed
        self._present = present
        self._reporters: dict[str, str] = {}

    def accepts(self, node: str, stats: CameraStats) -> bool:
        """Return whether an edge, by the name in its topic, may report this.

        A camera that was given to an edge is that edge's; the one that had it before may still close its account. A
        camera that was started by hand is the edge's that reports it first, for as long as that is there.
        """
        if stats.node != node:
            return False
        placed, last = self._placed(stats.camera), self._reporters.get(stats.camera)
        if node not in {placed, last} and (placed is not None or last in self._present()):
            return False
        if last != node and not self._has_room(node):
            return False
        self._reporters[stats.camera] = node
        return True

    def _has_room(self, node: str) -> bool:
        if Counter(self._reporters.values())[node] >= MAX_CAMERAS_OF_EDGE:
            return False
        if len(self._reporters) >= MAX_REPORTING_CAMERAS:
            present = set(self._present())
            self._reporters = {camera: edge for camera, edge in self._reporters.items() if edge in present}
        return len(self._reporters) < MAX_REPORTING_CAMERAS
