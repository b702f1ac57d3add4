"""Frigate's counts of objects, by camera and by zone, pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.integrations.frigate.messages import FrigateMessage, topic_level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.payloads.observations import LabelState

FRIGATE_ALL = "all"
"""Frigate's topic level for objects of all labels."""

ObjectCounts = tuple[int, int]
"""Number of objects, and of those that are not stationary."""


class FrigateCounts:
    """Derives Frigate's messages from states of scenes: those whose counts have changed.

    A zone that several cameras have is one zone in Frigate: its counts are added. A zone with the name of a camera is
    left out, because it would have the camera's topics. Unlike Frigate's, counts are retained for late subscribers.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._counts: dict[str, dict[tuple[str, str], ObjectCounts]] = {}
        self._published: dict[str, int] = {}

    def update_camera(
        self,
        camera: str,
        labels: Mapping[str, LabelState],
        total: LabelState,
        zones: Mapping[str, Mapping[str, LabelState]],
    ) -> list[FrigateMessage]:
        """Set a camera's states: by label, of all labels, and by zone and label; return the messages that change."""
        seen = {(camera, label): _pair(state) for label, state in {**labels, FRIGATE_ALL: total}.items()}
        seen |= {(zone, label): _pair(state) for zone, states in zones.items() for label, state in states.items()}
        self._counts[camera] = seen
        return self._changes()

    def forget_camera(self, camera: str) -> list[FrigateMessage]:
        """Remove a camera; return the messages that change."""
        self._counts.pop(camera, None)
        return self._changes()

    def all_counts(self) -> list[FrigateMessage]:
        """Return all messages, for a new connection to a broker, which may have lost them."""
        self._published.clear()
        return self._changes()

    def _changes(self) -> list[FrigateMessage]:
        now = dict(self._sums())
        gone = [FrigateMessage(topic, b"", retain=True) for topic in self._published if topic not in now]
        new = [
            FrigateMessage(topic, str(count).encode(), retain=True)
            for topic, count in now.items()
            if self._published.get(topic) != count
        ]
        self._published = now
        return gone + new

    def _sums(self) -> Iterator[tuple[str, int]]:
        sums: dict[tuple[str, str], ObjectCounts] = {}
        for camera, places in self._counts.items():
            for (place, label), (count, active) in places.items():
                if place == camera or place not in self._counts:
                    others, others_active = sums.get((place, label), (0, 0))
                    sums[place, label] = others + count, others_active + active
        for (place, label), (count, active) in sums.items():
            yield f"{self._prefix}/{place}/{topic_level(label)}", count
            yield f"{self._prefix}/{place}/{topic_level(label)}/active", active


def _pair(state: LabelState) -> ObjectCounts:
    return state.count, state.active
