"""States of scenes on MQTT: retained, told when they change."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gateway.observation.scene.states import ALL_LABELS, same_state
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.broker.planes import Planes
    from gateway.observation.scene.states import SceneState
    from shared.mqtt.topics import Topic
    from shared.payloads.observations import LabelState

BOXES_S = 1.0
"""How often boxes are told while nothing else changes."""

Place = tuple["Topic[LabelState]", tuple[str, ...]]


class SceneTeller:
    """Remembers what was told of each camera."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._told: dict[str, dict[Place, tuple[LabelState, float]]] = {}

    async def tell(self, camera: str, state: SceneState, now: float) -> None:
        """Publish what has changed; boxes alone at most every BOXES_S. `now` is monotonic seconds.

        Labels and zones that are no more are forgotten: what is retained of them is cleared by others.
        """
        places, told = dict(_places(camera, state)), self._told.setdefault(camera, {})
        for place in [place for place in told if place not in places]:
            del told[place]
        for place, label_state in places.items():
            before = told.get(place)
            if before is not None and same_state(before[0], label_state):
                still = before[0].objects == label_state.objects
                if still or now - before[1] < BOXES_S:
                    continue
            await self._publish(camera, place, label_state, now)

    async def again(self, states: Mapping[str, SceneState]) -> None:
        """Publish these, and nothing else is known to be told: the broker may have forgotten all of it."""
        self._told.clear()
        for camera, state in states.items():
            await self.tell(camera, state, 0.0)

    def forget(self, camera: str) -> None:
        """Tell everything again when the camera comes back."""
        self._told.pop(camera, None)

    async def _publish(self, camera: str, place: Place, state: LabelState, now: float) -> None:
        topic, names = place
        self._told[camera].pop(place, None)
        with contextlib.suppress(BrokerError):
            await self._bus.publish(topic, state, *names)
            self._told[camera][place] = state, now


def _places(camera: str, state: SceneState) -> Iterator[tuple[Place, LabelState]]:
    """Every topic of a camera's scene, and its state."""
    yield (topics.OBJECTS, (camera, ALL_LABELS)), state.all
    for label, label_state in state.labels.items():
        yield (topics.OBJECTS, (camera, slug(label))), label_state
    for zone, labels in state.zones.items():
        for label, label_state in labels.items():
            yield (topics.ZONE_OBJECTS, (camera, zone, label if label == ALL_LABELS else slug(label))), label_state
