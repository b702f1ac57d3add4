"""Publishes whether something moves in the pictures of each camera, as its agent measures it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from shared.errors import BrokerError
from shared.mqtt import topics
from shared.payloads.cluster import State

if TYPE_CHECKING:
    from collections.abc import Collection

    from gateway.broker.planes import Planes
    from shared.payloads.cluster import CameraStats

MOTION_SETTING = "motion"
"""The level of motion in the topics of a camera's settings. Unlike the settings, it cannot be set."""

UNKNOWN_MOTION = b"unknown"
"""Nothing measures motion: the camera is offline, its detection or its motion gate is off, or its edge is older."""

_STATES = {True: b"ON", False: b"OFF", None: UNKNOWN_MOTION}


class MotionStates:
    """The motion state of each camera: ON, OFF or unknown. A change is published at once."""

    def __init__(self, bus: Planes) -> None:
        self._bus = bus
        self._states: dict[str, bytes] = {}

    async def on_stats(self, stats: CameraStats) -> None:
        """Publish the motion state that an agent reports, if it has changed."""
        away = stats.state is State.OFFLINE or stats.ended
        await self._set(stats.camera, _STATES[None if away else stats.motion])

    async def on_offline(self, camera: str) -> None:
        """Publish that the motion state of a camera is unknown."""
        if camera in self._states:
            await self._set(camera, UNKNOWN_MOTION)

    async def publish_all(self, cameras: Collection[str]) -> None:
        """Publish the states of these cameras again; the broker may have lost them."""
        self._states = {name: self._states.get(name, UNKNOWN_MOTION) for name in cameras}
        for name, state in self._states.items():
            await self._publish(name, state)

    def forget(self, camera: str) -> None:
        """Forget a camera that is removed."""
        self._states.pop(camera, None)

    async def _set(self, camera: str, state: bytes) -> None:
        if self._states.get(camera, UNKNOWN_MOTION) != state:
            self._states[camera] = state
            await self._publish(camera, state)

    async def _publish(self, camera: str, state: bytes) -> None:
        with contextlib.suppress(BrokerError):  # published again after the next connect
            await self._bus.publish_plain(topics.CAMERA_SETTING, state, camera, MOTION_SETTING)
