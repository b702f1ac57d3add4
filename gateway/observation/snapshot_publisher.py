"""Publishes snapshots in the background, because fetching and drawing them takes longer than processing a frame."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.observation.snapshot_policy import SnapshotPolicy
from gateway.observation.snapshots import render_object_snapshot, render_snapshot
from shared.errors import DeepThingsError
from shared.mqtt import topics
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.broker.planes import Planes
    from gateway.cluster.cluster_listener import FetchPicture
    from gateway.configuration.cameras import SnapshotsSection
    from gateway.observation.scene.states import SceneUpdate
    from gateway.observation.scene_listener import SceneListener
    from gateway.observation.snapshot_policy import SnapshotChoice
    from shared.model.arrays import Pixels

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _DueSnapshots:
    """The snapshots to publish after a frame of a camera: the `whole` picture or not, and the objects of `choice`."""

    camera: str
    update: SceneUpdate
    settings: SnapshotsSection
    choice: SnapshotChoice
    whole: bool


class SnapshotPublisher:
    """Publishes the snapshots of one frame of each camera at a time; meanwhile no others of the camera are chosen."""

    def __init__(self, bus: Planes, listeners: Sequence[SceneListener]) -> None:
        self._bus = bus
        self._listeners = listeners
        self._policy = SnapshotPolicy()
        self._requested: set[str] = set()
        self._publishing: dict[str, asyncio.Task[None]] = {}

    def request(self, camera: str) -> None:
        """Publish a snapshot of the camera's next frame, even if it shows no object."""
        self._requested.add(camera)

    def publish_due(self, camera: str, update: SceneUpdate, fetch: FetchPicture, settings: SnapshotsSection) -> None:
        """Start to publish the snapshots that are due after a frame."""
        if not settings.enabled or camera in self._publishing:
            return
        choice = self._policy.choose(camera, update.state, time.monotonic())
        whole = choice.whole or camera in self._requested
        if whole or choice.labels:
            self._requested.discard(camera)
            due = _DueSnapshots(camera, update, settings, choice, whole)
            task = self._publishing[camera] = asyncio.create_task(self._publish(due, fetch))
            task.add_done_callback(lambda _: self._publishing.pop(camera))

    def forget_camera(self, camera: str) -> None:
        """Forget a camera that was removed."""
        self._policy.forget_camera(camera)

    async def close(self) -> None:
        """Cancel the snapshots that are being published."""
        tasks = list(self._publishing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish(self, due: _DueSnapshots, fetch: FetchPicture) -> None:
        try:
            await self._publish_rendered(due, await fetch())
        except DeepThingsError as error:
            self._policy.retry_later(due.camera, due.choice)
            log.warning("no snapshot of camera %s: %s; trying again with its next frame", due.camera, error)
        except Exception:  # only this picture is missing
            log.exception("no snapshot of camera %s", due.camera)

    async def _publish_rendered(self, due: _DueSnapshots, picture: Pixels) -> None:
        objects, at = due.update.state.all.objects, due.update.state.all.captured_at
        if due.whole:
            snapshot = await asyncio.to_thread(render_snapshot, picture, objects, due.settings, at)
            await self._bus.publish_plain(topics.SNAPSHOT, snapshot.jpeg, due.camera)
        for label, found in due.choice.labels.items():
            snapshot = await asyncio.to_thread(render_object_snapshot, picture, found, due.settings, at)
            await self._bus.publish_plain(topics.LABEL_SNAPSHOT, snapshot.jpeg, due.camera, slug(label))
            for listener in self._listeners:
                await listener.on_snapshot(due.camera, label, snapshot.jpeg)
