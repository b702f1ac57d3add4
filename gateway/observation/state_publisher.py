"""Publishes the states of scenes, retained, when they change."""

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
"""Boxes are published at most this often while nothing else changes: `frame` has those of every frame."""

MAX_CHANGES_AT_ONCE, CHANGE_PERIOD_S = 4, 2.0
"""Changes of a topic that are published at once, and the time after which another one may be. In a crowd, every frame
changes something; a count that is 0, or no longer 0, never waits."""

MIN_REST_MOTION = 0.05
"""A box at rest has moved if a side did by this share of its width or height: detectors' boxes tremble by less."""

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
        """Return whether a state has to be published now."""
        if same_state(state, self.state):
            return now - self.at >= BOXES_PERIOD_S and any(map(_has_moved, self.state.objects, state.objects))
        return bool(state.count) != bool(self.state.count) or self._allowance(now) >= 1

    def followed_by(self, state: LabelState, now: float) -> _Published:
        """Return what to remember after another state was published."""
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
        """Publish what has changed, together; `now` is monotonic seconds.

        Boxes alone are published at most every BOXES_PERIOD_S, and a topic that changes again and again every
        CHANGE_PERIOD_S, so call it about once a second while nothing happens.
        Labels and zones that do not exist any more are forgotten; RetainedCleaner clears their retained messages.
        """
        states, published = dict(_states(camera, state)), self._published.setdefault(camera, {})
        for gone in [names for names in published if names not in states]:
            del published[gone]
        due = [
            self._publish(camera, names, label_state, now)
            for names, label_state in states.items()
            if names not in published or published[names].is_outdated_by(label_state, now)
        ]
        if len(due) > 1:  # they leave in one piece, and are acknowledged so
            await asyncio.gather(*due)
        elif due:
            await due[0]

    async def republish_states(self, states: Mapping[str, SceneState]) -> None:
        """Publish these states whether they changed or not, after a connect: the broker may have lost them."""
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
    """Yield the names in every topic of a camera's scene, and its state."""
    yield (camera, ALL_LABELS), state.all
    for label, label_state in state.labels.items():
        yield (camera, slug(label)), label_state
    for zone, labels in state.zones.items():
        for label, label_state in labels.items():
            yield (camera, zone, label if label == ALL_LABELS else slug(label)), label_state
