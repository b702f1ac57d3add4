"""What cameras see, told by MQTT: objects, events, triggers and snapshots, each when it changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.configuration.cameras import Detect
from gateway.scene.scene import Scene
from gateway.scene.settings import SceneSettings
from gateway.scene_teller import SceneTeller
from gateway.snapshot_keeper import SnapshotKeeper
from gateway.snapshots import render, render_object
from shared import topics
from shared.errors import BrokerError, DeepThingsError
from shared.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.cameras.book import Cameras
    from gateway.configuration.cameras import Snapshots
    from gateway.configuration.root import Configuration
    from gateway.event_queue import EventQueue
    from gateway.finisher import Fetch
    from gateway.frigate.teller import FrigateTeller
    from gateway.health import Health
    from gateway.scene.states import SceneState, SceneUpdate
    from shared.bus import Bus
    from shared.letterbox import Pixels
    from shared.messages import FrameDetections
    from shared.observations import FollowedObject, ObjectEvent, Trigger

log = logging.getLogger(__name__)

CHECK_S = 0.5
"""How often it is looked at whether objects are gone of which no frame tells."""

SCENES_CAP = 256
"""Cameras that are followed: those that are configured, and some that were started by hand."""


class Observer:
    """One scene for each camera."""

    def __init__(
        self,
        configuration: Configuration,
        cameras: Cameras,
        bus: Bus,
        events: EventQueue,
        notify: Callable[[ObjectEvent | Trigger], None],
        health: Health,
        frigate: FrigateTeller | None,
    ) -> None:
        self._configuration = configuration
        self._cameras = cameras
        self._bus = bus
        self._events = events
        self._notify = notify
        self._health = health
        self._frigate = frigate
        self._scenes: dict[str, Scene] = {}
        self._teller = SceneTeller(bus)
        self._keeper = SnapshotKeeper()
        self._wanted: set[str] = set()
        self._away: set[str] = set()
        self._changes: asyncio.Queue[str] = asyncio.Queue()
        self._one_by_one = asyncio.Lock()

    async def run(self) -> None:
        """End what is gone, and follow changes of settings, until cancelled."""
        while True:
            changed = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    changed = await self._changes.get()
            async with self._one_by_one:
                if changed is not None:
                    await self._follow(changed)
                    continue
                for name, scene in list(self._scenes.items()):
                    await self._tell(name, scene.expire(time.time()))

    async def born(self) -> None:
        """There is a broker, which may have forgotten everything."""
        for name in self._cameras.configured:
            self._scene(name)
        await self._teller.again({name: scene.state() for name, scene in self._scenes.items()})
        if self._frigate is not None:
            await self._frigate.born()

    def changed(self, camera: str) -> None:
        """Its settings have changed, or whether it is there."""
        self._changes.put_nowait(camera)

    def want_snapshot(self, camera: str) -> None:
        """The next frame's picture is published whatever it shows."""
        self._wanted.add(camera)

    async def reload(self, configuration: Configuration) -> None:
        """Follow another configuration."""
        self._configuration = configuration
        for name in list(self._scenes):
            self.changed(name)

    async def observe(self, detections: FrameDetections, fetch: Fetch) -> None:
        """What one frame shows. `fetch` gets its picture, while the frame is not finished.

        One that was still under way when its camera was lost shows what nobody would take back.
        """
        name = detections.camera
        scene = self._scene(name)
        async with self._one_by_one:  # or what was seen before could be told after what is seen now
            if scene is None or name in self._away or not self._cameras.effective(name).detect:
                return
            degraded = self._health.degraded(name, time.monotonic())
            update = scene.update(detections, degraded=degraded, latency_ms=detections.latency_ms.total)
            await self._tell(name, update)
        await self._tell_snapshots(name, update, fetch)

    def _scene(self, name: str) -> Scene | None:
        if name not in self._scenes and len(self._scenes) < SCENES_CAP:
            self._scenes[name] = Scene(name, self._settings(name))
        return self._scenes.get(name)

    def _settings(self, name: str) -> SceneSettings:
        camera, now = self._cameras.camera(name), self._cameras.effective(name)
        return SceneSettings.of(
            (camera.objects if camera else None) or self._configuration.objects,
            camera.zones if camera else {},
            (camera.detect if camera else Detect()).model_copy(update={"enabled": True}),
            threshold=now.threshold,
            labels=now.labels,
        )

    async def _follow(self, name: str) -> None:
        """A camera's settings have changed, or whether it is there."""
        scene = self._scenes.get(name)
        if scene is None:
            return
        known = name in self._cameras.online or name in self._cameras.configured
        if not known:
            await self._tell(name, scene.clear(time.time()))
            await self._forget(name, scene.state())
            return
        await self._tell(name, scene.apply(self._settings(name), time.time()))
        if self._frigate is not None:
            await self._frigate.changed(name)
        online = name in self._cameras.online
        (self._away.discard if online else self._away.add)(name)
        if not online or not self._cameras.effective(name).detect:
            await self._tell(name, scene.clear(time.time()))

    async def _forget(self, name: str, state: SceneState) -> None:
        """The camera is gone: nothing retained speaks of it."""
        del self._scenes[name]
        self._away.discard(name)
        self._keeper.forget(name)
        await self._teller.forget(name, state)
        if self._frigate is not None:
            await self._frigate.forget(name)
        with contextlib.suppress(BrokerError):
            await self._bus.clear(topics.SNAPSHOT, name)
            for label in state.labels:
                await self._bus.clear(topics.LABEL_SNAPSHOT, name, slug(label))

    async def _tell(self, name: str, update: SceneUpdate) -> None:
        await self._teller.tell(name, update.state, time.monotonic())
        for event in update.events:
            self._events.put(topics.EVENTS, event, name)
            self._notify(event)
        if self._frigate is not None:
            await self._frigate.tell(name, update)
        for trigger in update.triggers:
            self._events.put(topics.TRIGGERS, trigger, name)
            self._notify(trigger)

    async def _tell_snapshots(self, name: str, update: SceneUpdate, fetch: Fetch) -> None:
        camera = self._cameras.camera(name)
        settings = camera.snapshots if camera else None
        if settings is None or not settings.enabled:
            return
        wishes = self._keeper.wanted(name, update.state, time.monotonic())
        whole = wishes.whole or name in self._wanted
        if not (whole or wishes.labels):
            return
        self._wanted.discard(name)
        try:
            await self._publish_snapshots(name, update, wishes.labels, whole, await fetch(), settings)
        except DeepThingsError as error:
            self._keeper.missed(name, wishes)
            log.warning("no snapshot of camera %s: %s", name, error)

    async def _publish_snapshots(
        self,
        name: str,
        update: SceneUpdate,
        labels: Mapping[str, FollowedObject],
        whole: bool,
        picture: Pixels,
        settings: Snapshots,
    ) -> None:
        objects, at = update.state.all.objects, update.state.all.captured_at
        if whole:
            made = await asyncio.to_thread(render, picture, objects, settings, at)
            await self._bus.publish_plain(topics.SNAPSHOT, made.jpeg, name)
        for label, found in labels.items():
            made = await asyncio.to_thread(render_object, picture, found, settings, at)
            await self._bus.publish_plain(topics.LABEL_SNAPSHOT, made.jpeg, name, slug(label))
            if self._frigate is not None:
                await self._frigate.tell_snapshot(name, label, made.jpeg)
