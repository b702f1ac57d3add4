"""Manages all cameras of a gateway: their settings, the edges that serve them, and their availability."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from pydantic import Field

from gateway.cameras.applied_settings import AppliedSettings
from gateway.cameras.camera_reports import CameraReports
from gateway.cameras.motion_states import MotionStates
from gateway.cameras.placement import Placement
from gateway.cameras.presence import CameraPresence, PresenceChange
from gateway.cameras.revisions import Revisions
from gateway.cameras.settings_control import SettingsControl
from shared.errors import BrokerError, ConfigurationError
from shared.mqtt import topics
from shared.payloads.base import Message
from shared.payloads.bridge import BridgeEvent, BridgeEventType
from shared.payloads.cluster import CameraAssignment, CameraRef

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from camera_sources.camera_settings import CameraSettings
    from gateway.broker.planes import Planes
    from gateway.cameras.applied_settings import EffectiveSettings
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.root import Configuration
    from gateway.state.state_file import StateFile
    from gateway.state.state_folder import StateFolder
    from shared.network.addresses import Address
    from shared.payloads.cluster import CameraStats

log = logging.getLogger(__name__)

CAMERA_CHECK_PERIOD_S = 1.0
"""Time between two checks for missing reports; each camera is reported every 30 s."""

_UNPROCESSED_TIMEOUT_S = 30.0
"""A camera that has been online for longer without a processed frame is reported as a problem; normally the first
frames are processed within a few seconds."""

_PLACEMENT_FILE = "placement.json"
_PLACEMENT_LOST = "after a restart of the gateway cameras may move to other edges"


class PlacementRecord(Message):
    """The edges that were present in the last run of the gateway, and the edge of each camera."""

    edges: tuple[str, ...] = ()
    cameras: dict[str, str] = Field(default_factory=dict)


class CameraRegistry:
    """Assigns cameras to edges, and publishes the settings and the availability of cameras.

    `on_changed(camera)` is called when the detection settings or the presence of a camera have changed, or it was
    removed. `publish_event` publishes an event of the bridge. `occupied(camera)` returns whether the camera has an open
    event.
    """

    def __init__(
        self,
        configuration: Configuration,
        state: StateFolder,
        bus: Planes,
        listening: Address,
        on_changed: Callable[[str], None],
        publish_event: Callable[[BridgeEvent], None],
        occupied: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._configuration = configuration
        self._bus = bus
        self._listening = listening
        self._on_changed = on_changed
        self._publish_event = publish_event
        self._occupied = occupied
        self.settings = AppliedSettings(configuration, state)
        self._motion = MotionStates(bus)
        self._presence = CameraPresence()
        self._presence.expect_cameras(configuration.cameras)
        self._settled: set[str] = set()
        self._revisions = Revisions(state.path)
        self._restarts: dict[str, int] = {}
        self._nodes: tuple[str, ...] = ()
        self._drained: frozenset[str] = frozenset()
        self._file: StateFile[PlacementRecord] = state.register_file(_PLACEMENT_FILE, PlacementRecord, _PLACEMENT_LOST)
        self._recorded = self._file.read() or PlacementRecord()
        self._placement = Placement(self._recorded.edges, self._recorded.cameras, time.monotonic())
        self._seen_nodes: set[str] = set()
        self._unplaced = False
        self._assigned: dict[str, CameraAssignment] = {}
        bus.on(topics.CAMERA_STATS, self._on_stats)
        reports = CameraReports(self.edge_of, lambda: self._nodes)
        bus.on(topics.CAMERA_REPORTS, lambda node, stats: self._on_report(reports, node, stats))
        self.control = SettingsControl(bus, self.settings, lambda: self._presence.cameras, self._follow_settings)

    @property
    def configured(self) -> tuple[str, ...]:
        """Return the names of the configured cameras."""
        return tuple(sorted(self._configuration.cameras))

    @property
    def online(self) -> tuple[str, ...]:
        """Return the cameras that are online, configured or not."""
        return tuple(name for name in self._presence.cameras if self._presence.is_online(name))

    @property
    def unavailable(self) -> dict[str, str]:
        """Return, by name, the reasons why enabled cameras are offline, or none of their frames is processed."""
        now = time.monotonic()
        found = {}
        for name in self.configured:
            if not self._presence.is_online(name):
                found[name] = self._presence.offline_reason(name)
            elif not self._available(name) and self._presence.online_for_s(name, now) > _UNPROCESSED_TIMEOUT_S:
                found[name] = "its pictures arrive, but none is processed; check that an edge is online"
        return {name: reason for name, reason in found.items() if self.effective_settings(name).enabled}

    @property
    def problems(self) -> dict[str, str]:
        """Return the problems of cameras that are online, by name."""
        return self._presence.problems

    @property
    def known(self) -> tuple[str, ...]:
        """Return all cameras that are configured or were reported."""
        return self._presence.cameras

    def is_known(self, name: str) -> bool:
        """Return whether a camera is configured, or was reported."""
        return self._presence.is_known(name)

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Return the cameras that have been online but are not configured: somebody started them by hand."""
        others = (name for name in self._presence.cameras if name not in self._configuration.cameras)
        return tuple(name for name in others if self._presence.was_online(name))

    def section_of(self, name: str) -> CameraSection:
        """Return the section of a camera; a default section if it was started by hand."""
        return self.settings.section_of(name)

    def try_areas(self, name: str, request: Mapping[str, Any]) -> CameraSection:
        """Replace a camera's zones or masks until a restart or a reload; return its section.

        Raises ConfigurationError.
        """
        tried = self.settings.try_areas(name, request)
        log.info("camera %s: other zones or masks are tried", name)
        self._on_changed(name)
        return tried

    def source_ended(self, name: str) -> bool:
        """Return whether a camera's source has ended, so that no picture will follow."""
        return self._presence.source_ended(name)

    async def mark_settled(self, name: str) -> None:
        """Note that a camera is settled: enough frames were processed, so that it is available from now on."""
        if name not in self._settled:
            self._settled.add(name)
            await self._publish_current_availability(name)

    def effective_settings(self, name: str) -> EffectiveSettings:
        """Return the settings that apply to a camera now."""
        return self.settings.effective(name)

    def followed_labels(self, name: str) -> tuple[str, ...]:
        """Return the followed labels of a camera: set by MQTT, else of the profile, else configured."""
        return self.settings.followed_labels(name)

    def agent_settings(self, name: str, revision: int) -> CameraSettings | None:
        """Return the settings for the agent of a camera, with its source; None if `revision` is not the current one."""
        if name not in self._configuration.cameras:
            return None
        settings = self.settings.agent_settings(name)
        return settings if self._revisions.revision_of(settings) == revision else None

    def edge_of(self, name: str) -> str | None:
        """Return the edge that a camera is assigned to."""
        return self._placement.placed.get(name)

    def forget_other_overrides(self, by_hand: Collection[str]) -> None:
        """Delete the overrides of cameras that are not in the configuration, except for those started `by_hand`."""
        self.settings.forget_others(by_hand)

    async def run(self) -> None:
        """Check for missing reports, and move and assign cameras, until cancelled."""
        while True:
            await asyncio.sleep(CAMERA_CHECK_PERIOD_S)
            await self._publish_changes(self._presence.expire_silent(time.monotonic()))
            if self._unplaced or self._rebalance():
                await self._assign()

    async def publish_retained(self) -> None:
        """Republish all retained state of cameras: the broker may have lost it."""
        self._assigned.clear()
        for name in self._presence.cameras:
            await self._publish_current_availability(name)
            await self.control.publish(name)
        await self._motion.publish_all([name for name in self._presence.cameras if self._measures_motion(name)])
        await self.control.publish_profile()
        await self._assign()

    async def publish_offline(self) -> None:
        """Publish that all cameras are offline, because the gateway stops."""
        self._settled.clear()
        for name in self._presence.cameras:
            await self._publish_availability(name, available=False)

    async def update_nodes(
        self, nodes: Sequence[str], drained: Collection[str] = (), lost: Collection[str] = ()
    ) -> None:
        """Follow a change of the edges: `nodes` are present, `drained` get no camera, `lost` are known to be offline.

        `lost` matters after a start: retained stats may be from an edge that was lost while the gateway was away.
        """
        gone = {*self._nodes, *lost} - set(nodes)
        self._nodes, self._drained = tuple(nodes), frozenset(drained)
        for node in sorted(gone):
            await self._publish_changes(self._presence.on_node_lost(node))
        await self._assign()

    async def reload(self, configuration: Configuration, gone: Sequence[str]) -> None:
        """Use another configuration, from which these cameras are `gone`."""
        self._configuration = configuration
        self.settings.reload(configuration, gone)
        self._presence.expect_cameras(configuration.cameras)
        for name in gone:
            self._presence.forget_camera(name, time.monotonic())
            self._restarts.pop(name, None)
            self._settled.discard(name)
            self._motion.forget(name)
            self._on_changed(name)
        await self.publish_retained()

    async def restart_camera(self, name: str) -> None:
        """Restart a camera's agent. Raises ConfigurationError if the camera is not configured."""
        if name not in self._configuration.cameras:
            raise ConfigurationError(
                f"camera {name!r} is not configured; configured cameras: {', '.join(self.configured)}"
            )
        self._restarts[name] = self._next_restart(name)
        await self._assign()

    def _next_restart(self, name: str) -> int:
        """Return a number that was never used before, also not by an earlier run of the gateway."""
        return max(time.time_ns() // 1_000_000, self._restarts.get(name, 0) + 1)

    async def _assign(self) -> None:
        """Publish to each edge its cameras, if they have changed."""
        wishes = self._wishes()
        placed = self._placement.place(wishes, self._serving, time.monotonic())
        self._unplaced = len(placed) < len(wishes)
        self._record()
        for node in self._nodes:
            served = {}
            for name in sorted(camera for camera, serving in placed.items() if serving == node):
                settings = self.effective_settings(name)
                served[name] = CameraRef(
                    revision=self._revisions.revision_of(self.settings.agent_settings(name)),
                    restart=self._restarts.get(name, 0),
                    detect=settings.detect, fps=settings.fps,
                )  # fmt: skip
            assignment = CameraAssignment(
                node=node, host=self._listening.host, port=self._listening.port, cameras=served
            )
            if self._assigned.get(node) != assignment:
                with contextlib.suppress(BrokerError):
                    await self._bus.publish(topics.CAMERAS, assignment, node)
                    self._assigned[node] = assignment

    def _rebalance(self) -> bool:
        """Move a camera to an edge that serves fewer cameras, if that is due. Return whether one was moved."""
        wishes = self._wishes()
        busy = [name for name in wishes if self._occupied(name)]
        return self._placement.rebalance(wishes, self._serving, busy, time.monotonic())

    def _wishes(self) -> dict[str, str | None]:
        """Return, by enabled camera, the edge that its configuration names; None: any edge."""
        cameras = self._configuration.cameras
        return {name: camera.edge for name, camera in cameras.items() if self.effective_settings(name).enabled}

    @property
    def _serving(self) -> list[str]:
        return [node for node in self._nodes if node not in self._drained]

    def _record(self) -> None:
        """Write the placement, if it has changed, with the edges for which the next run must wait.

        These are the edges of this run, and those of the last run that may still return.
        """
        self._seen_nodes |= set(self._nodes)
        edges = self._seen_nodes | self._placement.awaited
        record = PlacementRecord(edges=tuple(sorted(edges)), cameras=self._placement.placed)
        if self._seen_nodes and (record != self._recorded or self._file.missing()) and self._file.write(record):
            self._recorded = record

    def _on_report(self, reports: CameraReports, node: str, stats: CameraStats) -> None:
        """Publish the stats that an edge with a login reports of its cameras; the edge may not publish them itself."""
        if reports.accepts(node, stats):
            self._bus.publish_soon(topics.CAMERA_STATS, stats, stats.camera)
        else:
            log.debug("edge %s reports camera %s, which is not its own", node, stats.camera)

    async def _on_stats(self, _: str, stats: CameraStats) -> None:
        if self._presence.is_leaving(stats, time.monotonic()):
            with contextlib.suppress(BrokerError):
                await self._bus.clear_retained(topics.CAMERA_STATS, stats.camera)
            return
        change = self._presence.on_stats(stats, time.monotonic())
        if self._presence.is_known(stats.camera) and self._measures_motion(stats.camera):
            await self._motion.on_stats(stats)
        if change is not None:
            await self._publish_changes([change])

    async def _publish_changes(self, changes: Sequence[PresenceChange]) -> None:
        for change in changes:
            kind = BridgeEventType.CAMERA_BACK if change.online else BridgeEventType.CAMERA_LOST
            log.info("camera %s is %s%s", change.camera, "online" if change.online else "lost: ", change.reason)
            self._publish_event(BridgeEvent(type=kind, name=change.camera, reason=change.reason, at=time.time()))
            if not change.online:
                self._settled.discard(change.camera)
                await self._motion.on_offline(change.camera)
            await self._publish_current_availability(change.camera)
            self._on_changed(change.camera)

    async def _follow_settings(self, names: Sequence[str]) -> None:
        """Apply changed settings of these cameras: in scenes, at their edges, and in their availability."""
        for name in names:
            self._on_changed(name)
        await self._assign()
        for name in names:
            await self._publish_current_availability(name)

    def _measures_motion(self, name: str) -> bool:
        return self.section_of(name).motion.enabled

    def _available(self, name: str) -> bool:
        """Return whether a camera is online, and is settled or has its detection off."""
        return self._presence.is_online(name) and (name in self._settled or not self.effective_settings(name).detect)

    async def _publish_current_availability(self, name: str) -> None:
        await self._publish_availability(name, available=self._available(name))

    async def _publish_availability(self, name: str, *, available: bool) -> None:
        payload = b"online" if available else b"offline"
        with contextlib.suppress(BrokerError):
            await self._bus.publish_plain(topics.CAMERA_AVAILABILITY, payload, name)
