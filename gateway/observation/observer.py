"""Keeps the scenes of cameras, and publishes their objects, events, triggers and snapshots when these change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.observation.scene.scene import Scene
from gateway.observation.scene.scene_settings import SceneSettings
from gateway.observation.scene_store import SceneStore
from gateway.observation.snapshot_publisher import SnapshotPublisher
from gateway.observation.state_publisher import StatePublisher
from shared.mqtt import topics
from shared.payloads.observations import EndReason, EventType
from shared.tracing.spans import Part, tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gateway.bridge.event_queue import EventQueue
    from gateway.bridge.health import GatewayHealth
    from gateway.broker.planes import Planes
    from gateway.cameras.registry import CameraRegistry
    from gateway.cluster.cluster_listener import FetchPicture
    from gateway.observation.scene.counting_reasons import SceneExplanation
    from gateway.observation.scene.states import SceneUpdate
    from gateway.observation.scene_listener import SceneListener
    from gateway.state.state_folder import StateFolder
    from shared.payloads.cluster import FrameDetections
    from shared.payloads.observations import ObjectEvent, Trigger

log = logging.getLogger(__name__)

EXPIRY_CHECK_PERIOD_S = 0.5
"""Objects of cameras that send no frames are checked for expiry this often."""

MAX_SCENES = 256
"""Cameras with a scene: the configured ones, and some that were started by hand."""


class Observer:
    """Keeps a scene for each camera, and publishes its changes."""

    def __init__(
        self,
        state: StateFolder,
        cameras: CameraRegistry,
        bus: Planes,
        events: EventQueue,
        notify: Callable[[ObjectEvent | Trigger], None],
        health: GatewayHealth,
        listeners: Sequence[SceneListener] = (),
    ) -> None:
        """`notify` is called with each event and trigger; `listeners` are called at each change of a scene."""
        self._cameras = cameras
        self._bus = bus
        self._events = events
        self._notify = notify
        self._health = health
        self._listeners = listeners
        self._store = SceneStore(state)
        self._store_waits = False
        self._unstored: set[str] = set()
        self._just_published: set[str] = set()
        self._scenes: dict[str, Scene] = {}
        self._publisher = StatePublisher(bus)
        self._snapshots = SnapshotPublisher(bus, listeners)
        self._away: set[str] = set()
        self._changes: asyncio.Queue[str] = asyncio.Queue()
        self._lock = asyncio.Lock()

    async def run(self) -> None:
        """Expire objects and follow changes of settings, until cancelled."""
        async with self._lock:
            for name in self._store.cameras:
                self._scene(name)
        try:
            await self._follow_changes()
        finally:
            await self._snapshots.close()

    async def _follow_changes(self) -> None:
        while True:
            changed = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXPIRY_CHECK_PERIOD_S):
                    changed = await self._changes.get()
            async with self._lock:
                if changed is not None:
                    await self._apply_change(changed)
                    continue
                just_published, self._just_published = self._just_published, set()
                for name, scene in list(self._scenes.items()):
                    before, update = scene.state(), scene.expire(time.monotonic())
                    if update.state is not before or name not in just_published:
                        await self._publish(name, update)
                    if not self._cameras.is_known(name) and not scene.occupied:
                        await self._publish(name, scene.clear(time.monotonic(), EndReason.CAMERA_REMOVED))
                        await self._forget(name)
                await self._store_positions()

    async def on_connected(self) -> None:
        """Publish all retained state again after each (re)connect to the broker, which may have lost it."""
        async with self._lock:
            for name in self._cameras.configured:
                scene = self._scene(name)
                if scene is not None and not self._cameras.effective_settings(name).detect:
                    await self._publish(name, scene.clear(time.monotonic(), EndReason.DETECTION_OFF))
            known = {name: scene.state() for name, scene in self._scenes.items() if self._known(name)}
            await self._publisher.republish_states(known)
            for listener in self._listeners:
                await listener.on_connected()

    async def publish_stopping(self) -> None:
        """Publish empty scenes, because the gateway stops.

        Open events are stored for its next start; if they cannot be stored, they end.
        """
        for listener in self._listeners:
            await listener.on_stopping()
        kept = await self._store_all_events()
        for name, scene in self._scenes.items():
            # Cameras that have not returned since the start are included, because their counts are still retained.
            if self._cameras.is_known(name):
                stop = scene.suspend if kept else scene.clear
                update = stop(time.monotonic(), EndReason.GATEWAY_AWAY)
                for event in update.events:
                    self._events.put(topics.EVENTS, event, name)
                await self._publisher.publish_state(name, update.state, time.monotonic())
                for listener in self._listeners:
                    await listener.on_scene_changed(name, update, known=True)

    def occupied(self, camera: str) -> bool:
        """Return whether an event of this camera is open."""
        return camera in self._scenes and self._scenes[camera].occupied

    def on_camera_changed(self, camera: str) -> None:
        """Follow a change of a camera's settings or presence soon."""
        self._changes.put_nowait(camera)

    def request_snapshot(self, camera: str) -> None:
        """Publish a snapshot of the camera's next frame, even if it shows no object."""
        self._snapshots.request(camera)

    def explain(self, camera: str) -> SceneExplanation | None:
        """Return why the objects in a camera's last frame count or do not count; None for a camera without a scene."""
        scene = self._scenes.get(camera)
        return None if scene is None else scene.explain()

    async def reload(self) -> None:
        """Follow another configuration of the cameras."""
        for name in list(self._scenes):
            self.on_camera_changed(name)

    async def observe(self, detections: FrameDetections, fetch: FetchPicture, received_at: float) -> None:
        """Process the detections of one frame. `fetch` fetches its picture, as long as its owner keeps it.

        `received_at` is the time at which the gateway received the frame, in monotonic seconds. Frames of a camera that
        was lost or removed meanwhile are ignored, because nothing would clear their objects later.
        """
        name = detections.camera
        async with self._lock:  # without it, an older state could be published after a newer one
            scene = self._scene(name) if self._cameras.is_known(name) else None
            if scene is None or name in self._away or not self._cameras.effective_settings(name).detect:
                return
            degraded = self._health.is_degraded(name, time.monotonic())
            with tracer.measure(Part.TRACK, detections.frame):
                update = scene.update(
                    detections, degraded=degraded, latency_ms=detections.latency_ms.total, received_at=received_at
                )
            begun = time.monotonic()
            await self._publish(name, update)
            self._just_published.add(name)
            tracer.since(Part.STATES, detections.frame, begun)
            if scene.settled:
                await self._cameras.mark_settled(name)
        self._snapshots.publish_due(name, update, fetch, self._cameras.section_of(name).snapshots)

    def _scene(self, name: str) -> Scene | None:
        """Return the scene of a camera, a new one if needed; None if there are MAX_SCENES others."""
        if name not in self._scenes and len(self._scenes) < MAX_SCENES:
            kept = self._store.take_scene(name)
            scene = self._scenes[name] = Scene(name, self._settings(name), kept, time.monotonic(), time.time())
            self._store.remember_scene(name, scene.to_keep(time.monotonic()), away=True)
        return self._scenes.get(name)

    def _settings(self, name: str) -> SceneSettings:
        now = self._cameras.effective_settings(name)
        camera, objects, zones_off = self._cameras.settings.scene_section(name)
        return SceneSettings(
            objects,
            camera.zones,
            camera.detect.model_copy(update={"enabled": True}),
            threshold=now.threshold,
            labels=now.labels,
            zones_off=zones_off,
        )

    async def _apply_change(self, name: str) -> None:
        """Apply a change of a camera's settings or presence to its scene."""
        scene, now = self._scenes.get(name), time.monotonic()
        if scene is None:
            return
        if not self._cameras.is_known(name):
            await self._publish(name, scene.clear(now, EndReason.CAMERA_REMOVED))
            await self._forget(name)
            return
        await self._publish(name, scene.apply_settings(self._settings(name), now))
        for listener in self._listeners:
            await listener.on_settings_changed(name)
        online, effective = name in self._cameras.online, self._cameras.effective_settings(name)
        (self._away.discard if online else self._away.add)(name)
        if not (effective.enabled and effective.detect):
            await self._publish(name, scene.clear(now, EndReason.DETECTION_OFF))
            if online:  # the camera is available then, also at once when detection is switched on again
                await self._cameras.mark_settled(name)
        elif self._cameras.source_ended(name):
            await self._publish(name, scene.clear(now, EndReason.CAMERA_ENDED))
        elif not online and not scene.away:
            await self._publish(name, scene.suspend(now, EndReason.CAMERA_LOST), known=True)

    async def _forget(self, name: str) -> None:
        """Remove the scene of a removed camera."""
        del self._scenes[name]
        self._unstored.discard(name)
        self._away.discard(name)
        self._snapshots.forget_camera(name)
        self._publisher.forget_camera(name)
        for listener in self._listeners:
            await listener.on_camera_forgotten(name)

    async def _publish(self, name: str, update: SceneUpdate, *, known: bool = False) -> None:
        """Publish a change of a scene; its state only if that is `known`, because enough frames have shown it."""
        known = known or self._known(name)
        try:
            if _must_be_stored(update):  # before publishing, so that each published `new` gets its `end` after a crash
                await self._store_events(name)
            elif update.events:
                self._unstored.add(name)
            if known:
                await self._publisher.publish_state(name, update.state, time.monotonic())
        finally:  # also if this is cancelled because the gateway stops: the scene has changed already
            for event in update.events:
                self._events.put(topics.EVENTS, event, name)
                self._notify(event)
            for trigger in update.triggers:
                self._events.put(topics.TRIGGERS, trigger, name)
                self._notify(trigger)
        for listener in self._listeners:
            await listener.on_scene_changed(name, update, known=known)

    def _known(self, name: str) -> bool:
        """Return whether a camera exists and the state of its scene is certain enough to be published."""
        return self._cameras.is_known(name) and (self._scenes[name].settled or self._scenes[name].given_up)

    async def _store_events(self, name: str) -> None:
        """Store a camera's open events; not while no broker is connected, because nothing is published then."""
        self._store_waits |= not self._bus.public_connected.is_set()
        if not self._store_waits:
            self._unstored.discard(name)
            self._store.remember_scene(name, self._scenes[name].to_keep(time.monotonic()), away=self._scenes[name].away)
            await asyncio.to_thread(self._store.write)

    async def _store_all_events(self) -> bool:
        """Store the open events of all cameras; return whether that succeeded."""
        self._store.keep_only(self._scenes)
        self._unstored.clear()
        for name, scene in self._scenes.items():
            self._store.remember_scene(name, scene.to_keep(time.monotonic()), away=scene.away)
        kept = await asyncio.to_thread(self._store.write)
        self._store_waits = False
        return kept

    async def _store_positions(self) -> None:
        """Store the positions of objects, if that is due, or all events once the broker is connected again."""
        if self._store_waits:
            if self._bus.public_connected.is_set() and self._events.idle:
                await self._store_all_events()
            return
        moving = [name for name, scene in self._scenes.items() if name in self._unstored or scene.state().all.active]
        outdated = [name for name, scene in self._scenes.items() if self._store.is_outdated(name, away=scene.away)]
        if outdated or self._store.is_due(moving=bool(moving)):
            self._unstored.clear()
            for name in (*outdated, *moving):
                self._store.remember_scene(
                    name, self._scenes[name].to_keep(time.monotonic()), away=self._scenes[name].away
                )
            await asyncio.to_thread(self._store.write)
        else:
            self._store.touch()


def _must_be_stored(update: SceneUpdate) -> bool:
    """Return whether an update must be stored at once: else a restarted gateway would end an event twice, or never.

    Events of type `update` are not stored at once, but later with the positions of objects.
    """
    return bool(update.triggers) or any(event.type is not EventType.UPDATE for event in update.events)
