"""Publishes the states of scenes as retained messages when they change."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.observation.scene.states import ALL_LABELS, same_state
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.broker.planes import Planes
    from gateway.observation.scene.states import SceneState
    from shared.mqtt.topic_kinds import Topic
    from shared.payloads.observations import FollowedObject, LabelState

BOXES_PERIOD_S = 5.0
"""Boxes are published at most this often while nothing else changes: the topic `frame` has the boxes of every frame."""

MAX_CHANGES_AT_ONCE, CHANGE_PERIOD_S = 4, 2.0
"""Changes of a topic that may be published at once, and the time after which one more may be. It is a limit for crowds,
in which every frame changes something. A count that becomes 0, or is no longer 0, is never delayed."""

MIN_REST_MOTION = 0.05
"""A box of an object at rest has moved if a side has by this share of its width or height: boxes jitter by less."""

StateNames = tuple[str, ...]
"""The names in a topic: camera and label, or camera, zone and label."""


@dataclass(slots=True)
class _Published:
    """The state that was last published at a topic, and when."""

    state: LabelState
    at: float
    allowance: float = MAX_CHANGES_AT_ONCE
    """Changes that may be published at once."""

    def is_outdated_by(self, state: LabelState, now: float) -> bool:
        """Return whether `state` must be published now."""
        if same_state(state, self.state):
            return now - self.at >= BOXES_PERIOD_S and any(map(_has_moved, self.state.objects, state.objects))
        return bool(state.count) != bool(self.state.count) or self._allowance(now) >= 1

    def followed_by(self, state: LabelState, now: float) -> _Published:
        """Return the record after `state` was published."""
        cost = 0 if same_state(state, self.state) else 1
        return _Published(state, now, max(0.0, self._allowance(now) - cost))

    def _allowance(self, now: float) -> float:
        return min(MAX_CHANGES_AT_ONCE, self.allowance + max(0.0, now - self.at) / CHANGE_PERIOD_S)


class StatePublisher:
    """Publishes states of scenes that differ from the last published ones."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._published: dict[str, dict[StateNames, _Published]] = {}

    async def publish_state(self, camera: str, state: SceneState, now: float) -> None:
        """Publish the states of a camera that have changed; `now` is monotonic seconds.

        Changes of boxes alone are published at most every BOXES_PERIOD_S, and further changes of a topic every
        CHANGE_PERIOD_S. For the delayed ones, call this about once a second also while nothing happens. Labels and
        zones that do not exist any more are forgotten; RetainedCleaner clears their retained messages.
        """
        states, published = dict(_states(camera, state)), self._published.setdefault(camera, {})
        for gone in [names for names in published if names not in states]:
            del published[gone]
        due = [
            self._publish(camera, names, label_state, now)
            for names, label_state in states.items()
            if names not in published or published[names].is_outdated_by(label_state, now)
        ]
        if len(due) > 1:  # at the same time, so that they are sent and acknowledged together
            await asyncio.gather(*due)
        elif due:
            await due[0]

    async def republish_states(self, states: Mapping[str, SceneState]) -> None:
        """Publish these states after a connect, even if they have not changed: the broker may have lost them."""
        self._published.clear()
        for camera, state in states.items():
            await self.publish_state(camera, state, 0.0)

    def forget_camera(self, camera: str) -> None:
        """Forget the published states of a camera, so that all are published when it returns."""
        self._published.pop(camera, None)

    async def _publish(self, camera: str, names: StateNames, state: LabelState, now: float) -> None:
        before = self._published[camera].pop(names, None)
        with contextlib.suppress(BrokerError):
            await self._bus.publish(_topic_of(names), state, *names)
            self._published[camera][names] = (
                _Published(state, now) if before is None else before.followed_by(state, now)
            )


def _has_moved(before: FollowedObject, after: FollowedObject) -> bool:
    if before == after or not after.stationary:
        return before != after
    left, top, right, bottom = before.box
    reach = MIN_REST_MOTION * (right - left), MIN_REST_MOTION * (bottom - top)
    return any(
        abs(one - other) >= share for one, other, share in zip(before.box, after.box, (*reach, *reach), strict=True)
    )


def _topic_of(names: StateNames) -> Topic[LabelState]:
    return topics.OBJECTS if len(names) == 2 else topics.ZONE_OBJECTS


def _states(camera: str, state: SceneState) -> Iterator[tuple[StateNames, LabelState]]:
    """Yield the names in each topic of a camera's scene, and the state to publish there."""
    yield (camera, ALL_LABELS), state.all
    for label, label_state in state.labels.items():
        yield (camera, slug(label)), label_state
    for zone, labels in state.zones.items():
        for label, label_state in labels.items():
            yield (camera, zone, label if label == ALL_LABELS else slug(label)), label_state
