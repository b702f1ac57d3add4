"""Publishes the states of scenes, retained, when they change."""

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

BOXES_PERIOD_S = 1.0
"""Boxes are published at most this often while nothing else changes."""

StateTopic = tuple["Topic[LabelState]", tuple[str, ...]]
"""A topic, and the names to fill in."""


class StatePublisher:
    """Publishes states of scenes that differ from the last published ones."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._published: dict[str, dict[StateTopic, tuple[LabelState, float]]] = {}

    async def publish_state(self, camera: str, state: SceneState, now: float) -> None:
        """Publish what has changed; boxes alone at most every BOXES_PERIOD_S. `now` is monotonic seconds.

        Labels and zones that do not exist any more are forgotten; RetainedCleaner clears their retained messages.
        """
        states, published = dict(_states(camera, state)), self._published.setdefault(camera, {})
        for gone in [topic for topic in published if topic not in states]:
            del published[gone]
        for topic, label_state in states.items():
            before = published.get(topic)
            if before is not None and same_state(before[0], label_state):
                unmoved = before[0].objects == label_state.objects
                if unmoved or now - before[1] < BOXES_PERIOD_S:
                    continue
            await self._publish(camera, topic, label_state, now)

    async def republish_states(self, states: Mapping[str, SceneState]) -> None:
        """Publish these states whether they changed or not, after a connect: the broker may have lost them."""
        self._published.clear()
        for camera, state in states.items():
            await self.publish_state(camera, state, 0.0)

    def forget_camera(self, camera: str) -> None:
        """Forget the published states of a camera, so that all are published when it returns."""
        self._published.pop(camera, None)

    async def _publish(self, camera: str, state_topic: StateTopic, state: LabelState, now: float) -> None:
        topic, names = state_topic
        self._published[camera].pop(state_topic, None)
        with contextlib.suppress(BrokerError):
            await self._bus.publish(topic, state, *names)
            self._published[camera][state_topic] = state, now


def _states(camera: str, state: SceneState) -> Iterator[tuple[StateTopic, LabelState]]:
    """Yield every topic of a camera's scene, and its state."""
    yield (topics.OBJECTS, (camera, ALL_LABELS)), state.all
    for label, label_state in state.labels.items():
        yield (topics.OBJECTS, (camera, slug(label))), label_state
    for zone, labels in state.zones.items():
        for label, label_state in labels.items():
            yield (topics.ZONE_OBJECTS, (camera, zone, label if label == ALL_LABELS else slug(label))), label_state
