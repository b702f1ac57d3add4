"""Makes Frigate's counts of objects, by camera and by zone. Pure."""

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
    """Makes Frigate's messages from the states of scenes, for counts that have changed.

    Zones with the same name at several cameras are one zone in Frigate, so their counts are added. A zone with the name
    of a camera is left out, because it would have the camera's topics. Unlike in Frigate, the messages are retained,
    for clients that subscribe later.
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
        """Set the states of a camera; return the messages of all counts that change.

        `labels` are its states by label, `total` the state of all labels, `zones` its states by zone and label.
        """
        seen = {(camera, label): _counts_of(state) for label, state in {**labels, FRIGATE_ALL: total}.items()}
        seen |= {(zone, label): _counts_of(state) for zone, states in zones.items() for label, state in states.items()}
        self._counts[camera] = seen
        return self._changes()

    def forget_camera(self, camera: str) -> list[FrigateMessage]:
        """Remove a camera; return the messages of all counts that change."""
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


def _counts_of(state: LabelState) -> ObjectCounts:
    return state.count, state.active
