"""All cameras of a gateway: what is configured, what was set, who serves them, whether they are there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway.cameras.overrides import Overrides, OverridesFile
from gateway.cameras.placement import place
from gateway.cameras.presence import CameraPresence, Change
from gateway.cameras.words import SETTINGS, changed, said
from gateway.configuration.objects import Filter
from shared import topics
from shared.bridge import BridgeEvent, BridgeEventType
from shared.errors import BrokerError, ConfigurationError
from shared.messages import CameraAssignment, CameraRef

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from camera_sources.settings import CameraSettings
    from gateway.configuration.cameras import Camera
    from gateway.configuration.root import Configuration
    from shared.addresses import Address
    from shared.bus import Bus
    from shared.messages import CameraStats
    from shared.received import Received

log = logging.getLogger(__name__)

CHECK_S = 1.0
"""How often it is looked at whether cameras were heard of; half a minute may pass between two words."""


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for a camera: what was set, else what is configured. None: as the model or the filters have it."""

    enabled: bool
    detect: bool
    threshold: float | None
    fps: float | None
    labels: tuple[str, ...] | None


class Cameras:
    """Tells edges which cameras to serve, and everyone how cameras are.

    `changed` is called with the name of a camera whose detection settings have changed, or that is gone.
    """

    def __init__(
        self,
        configuration: Configuration,
        bus: Bus,
        listening: Address,
        changed: Callable[[str], None],
        tell: Callable[[BridgeEvent], None],
    ) -> None:
        self._configuration = configuration
        self._bus = bus
        self._listening = listening
        self._changed = changed
        self._tell = tell
        self._overrides = OverridesFile(configuration.state.expanduser())
        self._presence = CameraPresence()
        self._presence.expect(configuration.cameras)
        self._revisions = dict.fromkeys(configuration.cameras, time.time_ns() // 1_000_000)
        self._nodes: tuple[str, ...] = ()
        self._drained: frozenset[str] = frozenset()
        self._placed: dict[str, str] = {}
        self._told: dict[str, CameraAssignment] = {}
        bus.on(topics.CAMERA_STATS, self._on_stats)
        bus.on_plain(topics.CAMERA_SET, self._on_set, apart=True)

    @property
    def configured(self) -> tuple[str, ...]:
        return tuple(sorted(self._configuration.cameras))

    @property
    def online(self) -> tuple[str, ...]:
        """The cameras that are there, configured or not."""
        return tuple(name for name in self._presence.cameras if self._presence.online(name))

    @property
    def lost(self) -> dict[str, str]:
        """Configured, enabled cameras that are not there, and why."""
        return {
            name: self._presence.reason(name)
            for name in self.configured
            if not self._presence.online(name) and self.effective(name).enabled
        }

    def camera(self, name: str) -> Camera | None:
        """What is configured of it; None for one that was started by hand."""
        return self._configuration.cameras.get(name)

    def effective(self, name: str) -> Effective:
        camera, set_ = self._configuration.cameras.get(name), self._overrides.of(name)
        enabled = camera.enabled if camera is not None else True
        detect = camera.detect.enabled if camera is not None else True
        return Effective(
            enabled=enabled if set_.enabled is None else set_.enabled,
            detect=detect if set_.detect is None else set_.detect,
            threshold=set_.threshold,
            fps=set_.fps if set_.fps is not None else (camera.fps if camera is not None else None),
            labels=set_.labels,
        )

    def settings(self, name: str, revision: int) -> CameraSettings | None:
        """What the agent of a camera needs, its source with it; None when that is not how it is now."""
        camera = self._configuration.cameras.get(name)
        return camera.settings if camera is not None and self._revisions.get(name) == revision else None

    async def run(self) -> None:
        """Look after cameras until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            await self._tell_changes(self._presence.expire(time.monotonic()))

    async def born(self) -> None:
        """The broker may have forgotten everything: say all again."""
        self._told.clear()
        for name in self._presence.cameras:
            await self._say_availability(name)
            for setting in SETTINGS:
                await self._say_setting(name, setting)
        await self._assign()

    async def nodes_are(self, nodes: Sequence[str], drained: Collection[str] = (), lost: Collection[str] = ()) -> None:
        """These edges are there; those that are drained serve no camera. `lost` are known not to be there.

        What is retained of cameras may speak of an edge that was lost while the gateway was away.
        """
        gone = {*self._nodes, *lost} - set(nodes)
        self._nodes, self._drained = tuple(nodes), frozenset(drained)
        for node in sorted(gone):
            await self._tell_changes(self._presence.on_node_lost(node))
        await self._assign()

    async def reload(self, configuration: Configuration, restarted: Sequence[str], gone: Sequence[str]) -> None:
        """Follow another configuration; agents of `restarted` cameras begin anew."""
        self._configuration = configuration
        self._presence.expect(configuration.cameras)
        for name in restarted:
            self._revisions[name] = self._next_revision(name)
        for name in gone:
            self._presence.forget(name)
            self._revisions.pop(name, None)
            await self._clear(name)
        await self.born()

    async def restart(self, name: str) -> None:
        """Have a camera's agent begin anew. Raises ConfigurationError for a camera that is not configured."""
        if name not in self._configuration.cameras:
            raise ConfigurationError(f"no camera {name!r} is configured; there are {', '.join(self.configured)}")
        self._revisions[name] = self._next_revision(name)
        await self._assign()

    def _next_revision(self, name: str) -> int:
        """Larger than all before, also those of a gateway that ran earlier."""
        return max(time.time_ns() // 1_000_000, self._revisions.get(name, 0) + 1)

    async def _assign(self) -> None:
        """Tell edges which cameras they serve, as far as that has changed."""
        cameras = self._configuration.cameras
        wishes = {name: camera.edge for name, camera in cameras.items() if self.effective(name).enabled}
        self._placed = place(wishes, [node for node in self._nodes if node not in self._drained], self._placed)
        for node in self._nodes:
            served = {}
            for name in sorted(camera for camera, where in self._placed.items() if where == node):
                now = self.effective(name)
                served[name] = CameraRef(revision=self._revisions[name], detect=now.detect, fps=now.fps)
            assignment = CameraAssignment(
                node=node, host=self._listening.host, port=self._listening.port, cameras=served
            )
            if self._told.get(node) != assignment:
                with contextlib.suppress(BrokerError):
                    await self._bus.publish(topics.CAMERAS, assignment, node)
                    self._told[node] = assignment

    async def _on_stats(self, _: str, stats: CameraStats) -> None:
        change = self._presence.on_stats(stats, time.monotonic())
        if change is not None:
            await self._tell_changes([change])

    async def _tell_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            kind = BridgeEventType.CAMERA_BACK if change.online else BridgeEventType.CAMERA_LOST
            log.info("camera %s is %s%s", change.camera, "there" if change.online else "lost: ", change.reason)
            self._tell(BridgeEvent(type=kind, name=change.camera, reason=change.reason, at=time.time()))
            await self._say_availability(change.camera)
            self._changed(change.camera)

    async def _on_set(self, received: Received) -> None:
        name, setting = received.names
        if received.retained:
            log.info("a retained value for %s of camera %s is left alone", setting, name)
            return
        await self.change(name, setting, received.payload)

    async def change(self, name: str, setting: str, payload: bytes) -> None:
        """Set something of a camera, as it is said by MQTT; what cannot be is logged."""
        if name not in self._presence.cameras:
            log.warning("%s of camera %s cannot be set: there is no such camera", setting, name)
            return
        if setting not in SETTINGS:
            log.warning("%s of camera %s cannot be set; there are %s", setting, name, ", ".join(SETTINGS))
            return
        before = self._overrides.of(name)
        try:
            after = changed(before, setting, payload)
        except ConfigurationError as error:
            log.warning("camera %s: %s", name, error)
            await self._say_setting(name, setting)  # whoever said it shows its own belief
            return
        if after != before:
            self._overrides.set(name, after)
            log.info("camera %s: %s is set", name, setting)
            self._changed(name)
            await self._assign()
        await self._say_setting(name, setting)

    async def _say_setting(self, name: str, setting: str) -> None:
        value = getattr(self._shown(name), setting)
        with contextlib.suppress(BrokerError):
            await self._bus.publish_plain(topics.CAMERA_SETTING, said(value), name, setting)

    def _shown(self, name: str) -> Effective:
        """What people are shown: what holds for the first label that is followed, where labels differ."""
        now, camera = self.effective(name), self._configuration.cameras.get(name)
        objects = (camera.objects if camera else None) or self._configuration.objects
        labels = now.labels if now.labels is not None else objects.track
        first = next(iter(labels), "")
        threshold = objects.filters.get(first, Filter()).threshold if now.threshold is None else now.threshold
        return replace(now, threshold=threshold, labels=labels)

    async def _say_availability(self, name: str) -> None:
        word = b"online" if self._presence.online(name) else b"offline"
        with contextlib.suppress(BrokerError):
            await self._bus.publish_plain(topics.CAMERA_AVAILABILITY, word, name)

    async def _clear(self, name: str) -> None:
        """Nothing retained speaks of a camera that is no longer there."""
        with contextlib.suppress(BrokerError):
            await self._bus.clear(topics.CAMERA_AVAILABILITY, name)
            await self._bus.clear(topics.CAMERA_STATS, name)
            for setting in SETTINGS:
                await self._bus.clear(topics.CAMERA_SETTING, name, setting)
        self._overrides.set(name, Overrides())
        self._changed(name)
