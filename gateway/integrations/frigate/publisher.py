"""Publishes at Frigate's topics, and handles its commands that switch detection."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from gateway.integrations.frigate.counts import FrigateCounts
from gateway.integrations.frigate.events import FrigateEvents
from gateway.integrations.frigate.messages import (
    FrigateMessage,
    availability_message,
    detect_state_message,
    detect_topic,
    parse_detect_command,
    snapshot_message,
)
from shared.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.broker.planes import Planes
    from gateway.cameras.registry import CameraRegistry
    from gateway.observation.scene.states import SceneUpdate
    from shared.mqtt.received import Received

log = logging.getLogger(__name__)


class FrigatePublisher:
    """Publishes all cameras at Frigate's topics. It is a SceneListener."""

    def __init__(self, prefix: str, bus: Planes, cameras: CameraRegistry) -> None:
        self._prefix = prefix
        self._bus = bus
        self._cameras = cameras
        self._counts = FrigateCounts(prefix)
        self._events = FrigateEvents(prefix)
        bus.on_plain(detect_topic(prefix), self._on_detect)

    async def on_connected(self) -> None:
        """Publish all retained state again."""
        states = [
            detect_state_message(self._prefix, name, on=self._cameras.effective_settings(name).detect)
            for name in self._cameras.configured
        ]
        await self._publish([availability_message(self._prefix, online=True), *states, *self._counts.all_counts()])

    async def on_stopping(self) -> None:
        """Publish that the gateway is offline."""
        await self._publish([availability_message(self._prefix, online=False)])

    async def on_scene_changed(self, camera: str, update: SceneUpdate, *, known: bool) -> None:
        """Publish the events of a change of a scene, and its counts if the scene is `known`."""
        state = update.state
        events = [
            self._events.event_message(event, state.all.captured_at or event.start_time) for event in update.events
        ]
        counts = self._counts.update_camera(camera, state.labels, state.all, state.zones) if known else []
        await self._publish([*events, *counts])

    async def on_snapshot(self, camera: str, label: str, jpeg: bytes) -> None:
        """Publish the snapshot of an object of this label."""
        await self._publish([snapshot_message(self._prefix, camera, label, jpeg)])

    async def on_settings_changed(self, camera: str) -> None:
        """Publish whether the objects of a camera are detected."""
        await self._publish(
            [detect_state_message(self._prefix, camera, on=self._cameras.effective_settings(camera).detect)]
        )

    async def on_camera_forgotten(self, camera: str) -> None:
        """Publish the counts without a removed camera."""
        await self._publish(self._counts.forget_camera(camera))

    async def _on_detect(self, received: Received) -> None:
        (camera,) = received.names
        if parse_detect_command(received.payload) is None or received.retained:
            log.warning(
                "%s/%s/detect/set: invalid payload %r is ignored; send ON or OFF, without retain",
                self._prefix, camera, received.payload[:20],
            )  # fmt: skip
            return
        await self._cameras.control.change_setting(camera, "detect", received.payload)

    async def _publish(self, messages: Iterable[FrigateMessage]) -> None:
        with contextlib.suppress(BrokerError):
            for message in messages:
                await self._bus.publish_at(message.topic, message.payload, retain=message.retain)
