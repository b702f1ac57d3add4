"""Builds and connects the parts that process detections: cameras, scenes, Home Assistant, hooks, requests, health."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from gateway.bridge.event_queue import EventQueue
from gateway.bridge.frame_durations import FrameDurations
from gateway.bridge.health import GatewayHealth
from gateway.bridge.health_publisher import HealthPublisher
from gateway.bridge.problems import Problems
from gateway.bridge.requests import RequestHandler, required_name
from gateway.cameras.mismatches import missing_edges, places_outside
from gateway.cameras.placement import EDGES_RETURN_S
from gateway.cameras.registry import CameraRegistry
from gateway.configuration.differences import compare_configurations
from gateway.integrations.frigate.publisher import FrigatePublisher
from gateway.integrations.home_assistant.announcer import Announcer
from gateway.integrations.home_assistant.discovery import DiscoveryCache
from gateway.integrations.hooks.runner import HookRunner
from gateway.observation.observer import Observer
from gateway.retained.cleaner import RetainedCleaner
from gateway.state.state_folder import StateFolder
from shared.errors import BrokerError, ConfigurationError
from shared.files.unfinished import remove_abandoned
from shared.mqtt import topics
from shared.mqtt.topic_kinds import PlainTopic, Writer
from shared.payloads.bridge import BridgeEvent, BridgeEventType
from shared.payloads.cluster import Nodes, State
from shared.process.lifecycle import installed_version, run_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from camera_sources.camera_settings import CameraSettings
    from gateway.broker.planes import Planes
    from gateway.cluster.cluster_listener import ComputedFrame, FetchPicture, FrameWatcher
    from gateway.configuration.root import Configuration
    from gateway.membership.members import Membership
    from shared.network.addresses import Address
    from shared.payloads.bridge import BridgeHealth, BridgeInfo, FrameTime
    from shared.payloads.cluster import FrameDetections
    from shared.payloads.frames import Outcome
    from shared.payloads.observations import ObjectEvent, Trigger

STOP_PUBLISHING_TIMEOUT_S = 3.0
"""A stopping gateway waits this long for a slow broker to accept its last messages."""


class Home:
    """The parts that process detections, connected with each other. It is the ClusterListener of the cluster."""

    def __init__(
        self,
        configuration: Configuration,
        bus: Planes,
        members: Membership,
        listening: Address,
        read: Callable[[], Configuration] | None,
        info: Callable[[], BridgeInfo],
    ) -> None:
        """`read()` reads the configuration file again, None if there is no file; `info()` describes the gateway.

        `listening` is the address of the gateway's data plane, at which edges request the settings of cameras.
        """
        self._configuration = configuration
        self._bus = bus
        self._members = members
        self._read = read
        self._info = info
        self._health = GatewayHealth(time.monotonic())
        self._durations = FrameDurations()
        self.health_publisher = HealthPublisher(bus, self.health_report)
        self.problems = Problems()
        self._sizes: dict[str, tuple[int, int]] = {}
        self.problems.add_source("cameras", self._camera_problems)
        self.events = EventQueue(bus)
        self._hooks = HookRunner(configuration.hooks)
        self.problems.add_source("hooks", self._hooks.problems)
        remove_abandoned(configuration.state)
        state = StateFolder(configuration.state)
        self.problems.add_source("state", lambda _: state.problems)
        self._started_at = time.monotonic()
        frigate = configuration.frigate_compat
        self.cleaner = RetainedCleaner(
            state, bus, discovery_prefix=configuration.home_assistant.discovery_prefix,
            frigate=frigate.topic_prefix if frigate.enabled else None,
        )  # fmt: skip
        self.cameras = CameraRegistry(
            configuration, state, bus, listening, self._on_camera_changed, self._put_event, self._occupied
        )
        self.cameras.forget_other_overrides(self.cleaner.cameras_of_last_run)
        self.cleaner.follow_cameras(self.cameras)
        listeners = [FrigatePublisher(frigate.topic_prefix, bus, self.cameras)] if frigate.enabled else []
        self.observer = Observer(state, self.cameras, bus, self.events, self._notify, self._health, listeners)
        self.watcher: FrameWatcher | None = None
        self._nodes = Nodes(nodes={})
        self._discovery = DiscoveryCache()
        self._announcer = Announcer(self._discovered, self._republish_states, bus.deliver_at, state)
        discovery = configuration.home_assistant.discovery_prefix
        status = PlainTopic("status", "online or offline", writer=Writer.ANYBODY, root=discovery)
        bus.on_plain(status, lambda received: self._announcer.on_status(received.payload.decode(errors="replace")))
        self.requests = RequestHandler(
            bus,
            {
                "info": self._on_info_request,
                "restart_camera": self._on_restart_camera_request,
                "snapshot": self._on_snapshot_request,
                "reload": self._on_reload_request,
                "try_areas": self._on_try_areas_request,
                "drain_node": self._on_drain_node_request,
                "resume_node": self._on_resume_node_request,
            },
        )

    @property
    def configuration(self) -> Configuration:
        """Return the configuration that applies now."""
        return self._configuration

    async def run(self) -> None:
        """Run all parts until cancelled."""
        await run_together(
            self.events.run(), self.cameras.run(), self.observer.run(), self.health_publisher.run(),
            self._announcer.run(), self._hooks.run(), self.cleaner.run(),
        )  # fmt: skip

    # connections with brokers

    async def on_connected(self) -> None:
        """Publish all retained state again after each (re)connect to a broker, which may have lost it.

        The caller publishes afterwards that the gateway is online, so that subscribers never see outdated state of an
        online gateway.
        """
        self.health_publisher.republish()
        await self._publish_info()
        await self._republish_states()
        await self.cleaner.clear_stale()
        self._announcer.on_connected()

    async def publish_stopping(self) -> None:
        """Publish that cameras are offline and scenes are empty, in this order, before the gateway stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_PUBLISHING_TIMEOUT_S):
                await self.cameras.publish_offline()
                await self.observer.publish_stopping()
                await self.events.flush()
        self.cleaner.write_last()

    async def _publish_info(self) -> None:
        with contextlib.suppress(BrokerError):  # published again after the next connect
            await self._bus.publish(topics.BRIDGE_INFO, self.bridge_info())

    async def _republish_states(self) -> None:
        await self.cameras.publish_retained()
        await self.observer.on_connected()

    # the cluster

    async def on_detections(self, detections: FrameDetections, fetch: FetchPicture, received_at: float) -> None:
        """Process the detections of one frame; `received_at` in monotonic seconds."""
        if detections.camera in self._configuration.cameras:
            self._sizes[detections.camera] = detections.image
        await self.observer.observe(detections, fetch, received_at)
        if self.watcher is not None:
            self.watcher.on_detections(detections, fetch)

    def on_frame_computed(self, frame: ComputedFrame) -> None:
        """Pass the workers of a frame's tiles on to the page."""
        if self.watcher is not None:
            self.watcher.on_frame_computed(frame)

    async def on_nodes(self, nodes: Nodes) -> None:
        """Place cameras on the edges that are present, and announce the edges to Home Assistant."""
        self._nodes = nodes
        self._announcer.request_update()
        lost = [name for name, node in nodes.nodes.items() if node.state is State.OFFLINE]
        await self.cameras.update_nodes(self._members.serving_cameras, self._members.all_drained, lost)

    def on_frame_ended(self, camera: str, outcome: Outcome) -> None:
        """Count a frame that was published or dropped."""
        self._health.on_frame_ended(camera, outcome, time.monotonic())
        if self.watcher is not None:
            self.watcher.on_frame_ended(camera, outcome)

    def on_frame_time(self, frame_time: FrameTime) -> None:
        """Count the times that the parts of a published frame's way took."""
        self._durations.add(frame_time, time.monotonic())

    def serves(self, camera: str, node: str) -> bool:
        """Return whether a node may own frames of a camera: a placed camera is served by its edge only."""
        return self.cameras.edge_of(camera) in {None, node}

    async def on_plan_changed(self) -> None:
        """Publish the gateway's information again, which contains the plan."""
        await self._publish_info()

    def on_cluster_event(self, kind: BridgeEventType, name: str = "", reason: str = "") -> None:
        """Publish an event of the cluster at `bridge/event`."""
        self._put_event(BridgeEvent(type=kind, name=name, reason=reason, at=time.time()))

    def agent_settings(self, camera: str, revision: int) -> CameraSettings | None:
        """Return the settings of a camera for its agent; None when they have another revision."""
        return self.cameras.agent_settings(camera, revision)

    # cameras and events

    def _put_event(self, event: BridgeEvent) -> None:
        self.events.put(topics.BRIDGE_EVENT, event)

    def _notify(self, event: ObjectEvent | Trigger) -> None:
        self._hooks.notify(event)

    def _occupied(self, camera: str) -> bool:
        return self.observer.occupied(camera)

    def _on_camera_changed(self, camera: str) -> None:
        self.cleaner.check_soon()
        self.observer.on_camera_changed(camera)
        self._announcer.request_update()

    def _discovered(self) -> Mapping[str, str]:
        """Return the current discovery payloads for Home Assistant, by topic."""
        by_hand = sorted(self.cameras.by_hand)
        return self._discovery.messages(
            self._configuration, self._nodes, installed_version(), self._followed_labels(), by_hand
        )

    def _followed_labels(self) -> dict[str, Sequence[str]]:
        """Return the followed labels, by camera."""
        names = {*self.cameras.configured, *self.cameras.by_hand}
        return {name: self.cameras.followed_labels(name) for name in names}

    # health

    def bridge_info(self) -> BridgeInfo:
        """Return the gateway's current information: version, model, plan, cameras."""
        details = {"cameras": self.cameras.configured, "home_assistant": self._configuration.home_assistant.enabled}
        return self._info().model_copy(update=details)

    def health_report(self) -> BridgeHealth:
        """Return the gateway's current health."""
        now, configured = time.monotonic(), self.cameras.configured
        online = sum(1 for name in self.cameras.online if name in configured)
        return self._health.report(
            now, time.time(), len(self._members.present), (online, len(configured)), self.cameras.unavailable,
            self.problems.current(now),
        ).model_copy(
            update={"public_frames_dropped": self._bus.frames_dropped, "frame_time": self._durations.report(now)}
        )  # fmt: skip

    def _camera_problems(self, now: float) -> list[str]:
        """Return the problems of cameras, and of settings that do not fit the actual edges and pictures."""
        cameras = self._configuration.cameras
        found = [f"camera {name}: {remark}" for name, remark in self.cameras.problems.items()]
        if now - self._started_at > EDGES_RETURN_S:  # edges have had time to connect
            found += missing_edges(cameras, self._nodes.nodes)
        objects = {name: self._configuration.objects_of(name) for name in cameras}
        return [*found, *places_outside(cameras, self._sizes, objects)]

    # requests

    async def _on_info_request(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return self.bridge_info().model_dump(mode="json")

    async def _on_restart_camera_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = required_name(request, "camera")
        await self.cameras.restart_camera(name)
        return {"camera": name}

    async def _on_snapshot_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = self._required_camera(request)
        self.observer.request_snapshot(name)
        return {"camera": name}

    async def _on_try_areas_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = self._required_camera(request)
        return {"camera": name, "zones": sorted(self.cameras.try_areas(name, request).zones)}

    def _required_camera(self, request: Mapping[str, Any]) -> str:
        """Return the known camera that a request names. Raises ConfigurationError."""
        name = required_name(request, "camera")
        if name not in self.cameras.known:
            raise ConfigurationError(f"camera {name!r} not found; cameras: {', '.join(self.cameras.configured)}")
        return name

    async def _on_drain_node_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = required_name(request, "node")
        self._members.drain_node(name)
        await self.on_nodes(self._nodes)
        return {"node": name, "drained": sorted(self._members.all_drained)}

    async def _on_resume_node_request(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = required_name(request, "node")
        self._members.resume_node(name)
        await self.on_nodes(self._nodes)
        return {"node": name, "drained": sorted(self._members.all_drained)}

    async def _on_reload_request(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return await self.reload()

    async def reload(self) -> dict[str, Any]:
        """Read the configuration file again and apply all changes that need no restart; return the changes.

        Raises ConfigurationError when there is no file, or it is invalid; nothing changes then.
        """
        if self._read is None:
            raise ConfigurationError(
                "nothing to reload: this gateway was started without a configuration file; start it with --config FILE"
            )
        before, after = self._configuration, await asyncio.to_thread(self._read)
        changes = compare_configurations(before, after)
        self._configuration = after
        self._hooks.replace_hooks(after.hooks)
        await self.observer.reload()
        await self.cameras.reload(after, changes.removed)
        await self.observer.on_connected()
        await self.cleaner.clear_stale()
        await self._publish_info()
        self._announcer.request_update()
        self.on_cluster_event(BridgeEventType.CONFIGURATION_RELOADED)
        return {
            "added": list(changes.added), "removed": list(changes.removed), "restarted": list(changes.restarted),
            "changed": list(changes.rearranged), "sections": list(changes.sections),
            "needs_restart": list(changes.gateway),
        }  # fmt: skip
