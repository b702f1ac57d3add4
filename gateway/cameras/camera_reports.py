"""Decides which reports of edges about cameras count: an edge may only report cameras that it serves. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shared.payloads.cluster import CameraStats

MAX_REPORTING_CAMERAS = 1000
"""Cameras whose reporting edge is remembered; a gateway serves at most a quarter as many (256)."""

MAX_CAMERAS_OF_EDGE = 64
"""Cameras that one edge may report: more than any device can read. It limits an edge that invents names."""


class CameraReports:
    """Remembers which edge reports each camera."""

    def __init__(self, placed: Callable[[str], str | None], present: Callable[[], Collection[str]]) -> None:
        """`placed(camera)` returns the edge that serves a camera; `present()` returns the edges that are online."""
        self._placed = placed
        self._present = present
        self._reporters: dict[str, str] = {}

    def accepts(self, node: str, stats: CameraStats) -> bool:
        """Return whether these stats count; `node` is the edge that sent them, by the name in the topic.

        A placed camera may be reported by its edge; the edge that had it before may still close its account. A camera
        that was started by hand may be reported by the edge that reports it first, as long as that edge is online.
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
