"""Telling what cameras see at Frigate's topics, and hearing what is switched there."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from gateway.integrations.frigate.counts import Counts
from gateway.integrations.frigate.events import Events
from gateway.integrations.frigate.messages import FrigateMessage, available, detect_command, detect_state, snapshot
from shared.errors import BrokerError
from shared.mqtt.topics import PlainTopic

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway.broker.planes import Planes
    from gateway.cameras.registry import CameraRegistry
    from gateway.observation.scene.states import SceneUpdate
    from shared.mqtt.received import Received

log = logging.getLogger(__name__)


class FrigateTeller:
    """What Frigate's users expect, for all cameras."""

    def __init__(self, prefix: str, bus: Planes, cameras: CameraRegistry) -> None:
        self.prefix = prefix
        self._bus = bus
        self._cameras = cameras
        self._counts = Counts(prefix)
        self._events = Events(prefix)
        bus.on_plain(PlainTopic("{camera}/detect/set", "ON or OFF", root=prefix), self._on_detect)

    async def born(self) -> None:
        """There is a broker, which may have forgotten everything."""
        states = [
            detect_state(self.prefix, name, on=self._cameras.effective_settings(name).detect)
            for name in self._cameras.configured
        ]
        await self._publish([available(self.prefix, online=True), *states, *self._counts.again()])

    async def farewell(self) -> None:
        """Publish that the gateway is not there any more."""
        await self._publish([available(self.prefix, online=False)])

    async def tell(self, camera: str, update: SceneUpdate, *, known: bool = True) -> None:
        """Publish what one step of a scene brought; its counts only when they are known."""
        state = update.state
        events = [self._events.message(event, state.all.captured_at or event.start_time) for event in update.events]
        counts = self._counts.update(camera, state.labels, state.all, state.zones) if known else []
        await self._publish([*events, *counts])

    async def tell_snapshot(self, camera: str, label: str, jpeg: bytes) -> None:
        """The best view of an object of a label."""
        await self._publish([snapshot(self.prefix, camera, label, jpeg)])

    async def changed(self, camera: str) -> None:
        """Its settings have changed."""
        await self._publish([detect_state(self.prefix, camera, on=self._cameras.effective_settings(camera).detect)])

    async def forget(self, camera: str) -> None:
        """Publish the counts without a camera that is no more."""
        await self._publish(self._counts.forget(camera))

    async def _on_detect(self, received: Received) -> None:
        (camera,) = received.names
        said = detect_command(self.prefix, f"{self.prefix}/{camera}/detect/set", received.payload)
        if said is None or received.retained:
            log.warning("%s/%s/detect/set: %r is left alone", self.prefix, camera, received.payload[:20])
            return
        await self._cameras.change_setting(camera, "detect", received.payload)

    async def _publish(self, messages: Iterable[FrigateMessage]) -> None:
        with contextlib.suppress(BrokerError):
            for message in messages:
                await self._bus.publish_at(message.topic, message.payload, retain=message.retain)
