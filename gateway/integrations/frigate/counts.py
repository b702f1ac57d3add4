"""Frigate's counts of objects, by camera and by zone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.integrations.frigate.messages import FrigateMessage, level

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from shared.payloads.observations import LabelState

ALL = "all"

Pair = tuple[int, int]
"""Objects, and those of them that are not stationary."""


class Counts:
    """Remembers what was told, and tells what has changed.

    A zone that several cameras have is one for Frigate: its counts are added up. One with the name of a camera is not
    told of, as it would have the camera's topics. Unlike Frigate's, counts are retained: who comes late knows them.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._seen: dict[str, dict[tuple[str, str], Pair]] = {}
        self._told: dict[str, int] = {}

    def update(
        self,
        camera: str,
        labels: Mapping[str, LabelState],
        total: LabelState,
        zones: Mapping[str, Mapping[str, LabelState]],
    ) -> list[FrigateMessage]:
        """What a camera sees now: by label, of all labels, and by zone and label."""
        seen = {(camera, label): _pair(state) for label, state in {**labels, ALL: total}.items()}
        seen |= {(zone, label): _pair(state) for zone, states in zones.items() for label, state in states.items()}
        self._seen[camera] = seen
        return self._changes()

    def forget(self, camera: str) -> list[FrigateMessage]:
        """The camera is no more."""
        self._seen.pop(camera, None)
        return self._changes()

    def again(self) -> list[FrigateMessage]:
        """Everything, for a broker that may have forgotten it."""
        self._told.clear()
        return self._changes()

    def _changes(self) -> list[FrigateMessage]:
        now = dict(self._sums())
        gone = [FrigateMessage(topic, b"", retain=True) for topic in self._told if topic not in now]
        new = [
            FrigateMessage(topic, str(count).encode(), retain=True)
            for topic, count in now.items()
            if self._told.get(topic) != count
        ]
        self._told = now
        return gone + new

    def _sums(self) -> Iterator[tuple[str, int]]:
        sums: dict[tuple[str, str], Pair] = {}
        for camera, places in self._seen.items():
            for (place, label), (count, active) in places.items():
                if place == camera or place not in self._seen:
                    others, others_active = sums.get((place, label), (0, 0))
                    sums[place, label] = others + count, others_active + active
        for (place, label), (count, active) in sums.items():
            yield f"{self._prefix}/{place}/{level(label)}", count
            yield f"{self._prefix}/{place}/{level(label)}/active", active


def _pair(state: LabelState) -> Pair:
    return state.count, state.active
