"""What cameras see, told by MQTT: objects, events, triggers and snapshots, each when it changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.observation.scene.scene import Scene
from gateway.observation.scene.scene_settings import SceneSettings
from gateway.observation.scene_store import SceneMemory
from gateway.observation.snapshot_policy import SnapshotKeeper
from gateway.observation.snapshots import render, render_object
from gateway.observation.state_publisher import SceneTeller
from shared.errors import DeepThingsError
from shared.mqtt import topics
from shared.payloads.observations import EndReason
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.bridge.event_queue import EventQueue
    from gateway.bridge.health import Health
    from gateway.broker.planes import Planes
    from gateway.cameras.registry import Cameras
    from gateway.cluster.finisher import Fetch
    from gateway.configuration.cameras import Snapshots
    from gateway.configuration.root import Configuration
    from gateway.integrations.frigate.publisher import FrigateTeller
    from gateway.observation.scene.states import SceneUpdate
    from gateway.state.state_folder import StateFolder
    from shared.model.arrays import Pixels
    from shared.payloads.cluster import FrameDetections
    from shared.payloads.observations import FollowedObject, ObjectEvent, Trigger

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
        state: StateFolder,
        cameras: Cameras,
        bus: Planes,
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
        self._memory = SceneMemory(state)
        self._memory_waits = False
        self._scenes: dict[str, Scene] = {}
        self._teller = SceneTeller(bus)
        self._keeper = SnapshotKeeper()
        self._wanted: set[str] = set()
        self._away: set[str] = set()
        self._changes: asyncio.Queue[str] = asyncio.Queue()
        self._one_by_one = asyncio.Lock()

    async def run(self) -> None:
        """End what is gone, and follow changes of settings, until cancelled."""
        async with self._one_by_one:
            for name in self._memory.cameras:
                self._scene(name)
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
                    await self._tell(name, scene.expire(time.monotonic()))
                    if name not in self._cameras.known and not scene.occupied:
                        await self._tell(name, scene.clear(time.monotonic(), EndReason.CAMERA_REMOVED))
                        await self._forget(name)
                await self._keep_places()

    async def born(self) -> None:
        """Publish all that is known: called after each connection to the broker, which may have lost it."""
        async with self._one_by_one:
            for name in self._cameras.configured:
                scene = self._scene(name)
                if scene is not None and not self._cameras.effective(name).detect:
                    await self._tell(name, scene.clear(time.monotonic(), EndReason.DETECTION_OFF))
            known = {name: scene.state() for name, scene in self._scenes.items() if self._known(name)}
            await self._teller.again(known)
            if self._frigate is not None:
                await self._frigate.born()

    async def farewell(self) -> None:
        """Publish that nothing is seen any more, as the gateway stops.

        Open events are kept for its next start; where they cannot be kept, they end.
        """
        kept = await self._remember_all()
        for name, scene in self._scenes.items():
            if name in self._cameras.known:  # one that is awaited as well: its counts may be those of an earlier run
                stop = scene.suspend if kept else scene.clear
                update = stop(time.monotonic(), EndReason.GATEWAY_AWAY)
                for event in update.events:
                    self._events.put(topics.EVENTS, event, name)
                await self._teller.tell(name, update.state, time.monotonic())
                if self._frigate is not None:
                    await self._frigate.tell(name, update)

    def occupied(self, camera: str) -> bool:
        """Return whether an event of this camera is open."""
        return camera in self._scenes and self._scenes[camera].occupied

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

    async def observe(self, detections: FrameDetections, fetch: Fetch, heard_at: float) -> None:
        """Follow one frame's detections. `fetch` gets its picture, while the frame is not finished.

        `heard_at` is when the gateway heard of the frame, in monotonic seconds. A frame that was still under way when
        its camera was lost, or removed, shows what nobody would take back.
        """
        name = detections.camera
        async with self._one_by_one:  # or what was seen before could be told after what is seen now
            scene = self._scene(name) if name in self._cameras.known else None
            if scene is None or name in self._away or not self._cameras.effective(name).detect:
                return
            degraded = self._health.degraded(name, time.monotonic())
            update = scene.update(
                detections, degraded=degraded, latency_ms=detections.latency_ms.total, heard_at=heard_at
            )
            await self._tell(name, update)
            if scene.settled:
                await self._cameras.settled(name)
        await self._tell_snapshots(name, update, fetch)

    def _scene(self, name: str) -> Scene | None:
        if name not in self._scenes and len(self._scenes) < SCENES_CAP:
            kept = self._memory.take(name)
            scene = self._scenes[name] = Scene(name, self._settings(name), kept, time.monotonic(), time.time())
            self._memory.remember(name, scene.keep(time.monotonic()), away=True)
        return self._scenes.get(name)

    def _settings(self, name: str) -> SceneSettings:
        camera, now = self._cameras.camera(name), self._cameras.effective(name)
        return SceneSettings.of(
            camera.objects or self._configuration.objects,
            camera.zones,
            camera.detect.model_copy(update={"enabled": True}),
            threshold=now.threshold,
            labels=now.labels,
        )

    async def _follow(self, name: str) -> None:
        """Follow a camera whose settings have changed, or whether it is there."""
        scene, now = self._scenes.get(name), time.monotonic()
        if scene is None:
            return
        if name not in self._cameras.known:
            await self._tell(name, scene.clear(now, EndReason.CAMERA_REMOVED))
            await self._forget(name)
            return
        await self._tell(name, scene.apply(self._settings(name), now))
        if self._frigate is not None:
            await self._frigate.changed(name)
        online, effective = name in self._cameras.online, self._cameras.effective(name)
        (self._away.discard if online else self._away.add)(name)
        if not (effective.enabled and effective.detect):
            await self._tell(name, scene.clear(now, EndReason.DETECTION_OFF))
            if online:  # it stays so when detection is switched on again
                await self._cameras.settled(name)
        elif self._cameras.finished(name):
            await self._tell(name, scene.clear(now, EndReason.CAMERA_ENDED))
        elif not online and not scene.away:
            await self._tell(name, scene.suspend(now, EndReason.CAMERA_LOST), known=True)

    async def _forget(self, name: str) -> None:
        """Forget a camera that is gone."""
        del self._scenes[name]
        self._away.discard(name)
        self._keeper.forget(name)
        self._teller.forget(name)
        if self._frigate is not None:
            await self._frigate.forget(name)

    async def _tell(self, name: str, update: SceneUpdate, *, known: bool = False) -> None:
        """Publish what a step of a scene brought; its state only when that is `known`: enough frames came."""
        known = known or self._known(name)
        try:
            if update.events:  # first of all: a `new` of which nobody knows after a restart would have no `end`
                await self._remember(name)
            if known:
                await self._teller.tell(name, update.state, time.monotonic())
        finally:  # also when the gateway stops meanwhile: the scene has made its step
            for event in update.events:
                self._events.put(topics.EVENTS, event, name)
                self._notify(event)
            for trigger in update.triggers:
                self._events.put(topics.TRIGGERS, trigger, name)
                self._notify(trigger)
        if self._frigate is not None:
            await self._frigate.tell(name, update, known=known)

    def _known(self, name: str) -> bool:
        """Return whether what is seen there is known: of a camera that is no more, nothing is to be published."""
        return name in self._cameras.known and (self._scenes[name].settled or self._scenes[name].given_up)

    async def _remember(self, name: str) -> None:
        """Keep what is told of a camera. Without a broker nothing is: then what was told before is kept until it is."""
        self._memory_waits |= not self._bus.public_connected.is_set()
        if not self._memory_waits:
            self._memory.remember(name, self._scenes[name].keep(time.monotonic()), away=self._scenes[name].away)
            await asyncio.to_thread(self._memory.write)

    async def _remember_all(self) -> bool:
        """Return whether all is kept now."""
        self._memory.forget_others(self._scenes)
        for name, scene in self._scenes.items():
            self._memory.remember(name, scene.keep(time.monotonic()), away=scene.away)
        kept = await asyncio.to_thread(self._memory.write)
        self._memory_waits = False
        return kept

    async def _keep_places(self) -> None:
        """Keep where objects are, as far as it is time to."""
        if self._memory_waits:
            if self._bus.public_connected.is_set() and self._events.idle:
                await self._remember_all()
            return
        moving = [name for name, scene in self._scenes.items() if scene.state().all.active]
        turned = [name for name, one in self._scenes.items() if self._memory.outdated(name, away=one.away)]
        if turned or self._memory.due(moving=bool(moving)):
            for name in (*turned, *moving):
                self._memory.remember(name, self._scenes[name].keep(time.monotonic()), away=self._scenes[name].away)
            await asyncio.to_thread(self._memory.write)
        else:
            self._memory.touch()

    async def _tell_snapshots(self, name: str, update: SceneUpdate, fetch: Fetch) -> None:
        settings = self._cameras.camera(name).snapshots
        if not settings.enabled:
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
