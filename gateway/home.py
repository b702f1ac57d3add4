"""What a gateway is to a smart home: its cameras, what they see, Home Assistant, hooks, requests, health."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from typing import TYPE_CHECKING, Any

from gateway.bridge.event_queue import EventQueue
from gateway.bridge.health import Health
from gateway.bridge.problems import Problems
from gateway.bridge.requests import RequestHandler, required_name
from gateway.cameras.mismatches import missing_edges, places_outside
from gateway.cameras.placement import EDGES_RETURN_S
from gateway.cameras.registry import CameraRegistry
from gateway.configuration.differences import differences
from gateway.integrations.frigate.publisher import FrigateTeller
from gateway.integrations.home_assistant.announcer import Announcer
from gateway.integrations.home_assistant.discovery import DiscoveryCache
from gateway.integrations.hooks.runner import HookSet
from gateway.observation.observer import Observer
from gateway.retained_topics import RETURN_S, RetainedTopics, expected_topics
from gateway.state.state_folder import StateFolder
from shared.errors import BrokerError, ConfigurationError, DeepThingsError
from shared.files.unfinished import remove_abandoned
from shared.mqtt import topics
from shared.mqtt.topics import PlainTopic
from shared.payloads.bridge import BridgeEvent, BridgeEventType
from shared.payloads.cluster import Nodes, State
from shared.process.lifecycle import release, run_together

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from camera_sources.camera_settings import CameraSettings
    from gateway.broker.planes import Planes
    from gateway.cluster.finisher import Fetch
    from gateway.configuration.root import Configuration
    from gateway.membership.members import Membership
    from shared.network.addresses import Address
    from shared.payloads.bridge import BridgeInfo
    from shared.payloads.cluster import FrameDetections
    from shared.payloads.frames import Outcome
    from shared.payloads.observations import ObjectEvent, Trigger

log = logging.getLogger(__name__)

HEALTH_S = 60.0
"""How often health is told when nothing of it changes."""

LOOK_S = 1.0
"""How often it is looked at whether it has."""

FAREWELL_S = 3.0
"""A gateway that stops does not wait longer for a broker that is slow."""


class Home:
    """The parts behind the detections, put together."""

    def __init__(
        self,
        configuration: Configuration,
        bus: Planes,
        members: Membership,
        listening: Address,
        read: Callable[[], Configuration] | None,
        info: Callable[[], BridgeInfo],
    ) -> None:
        """`read` reads the configuration once more, `info` tells what the gateway runs."""
        self._configuration = configuration
        self._bus = bus
        self._members = members
        self._read = read
        self._info = info
        self._health = Health(time.monotonic())
        self.problems = Problems()
        self._sizes: dict[str, tuple[int, int]] = {}
        self.problems.add_source("cameras", self._camera_problems)
        self._events = EventQueue(bus)
        self._hooks = HookSet(configuration.hooks)
        self._hooks_changed = asyncio.Event()
        remove_abandoned(configuration.state)
        state = StateFolder(configuration.state)
        self.problems.add_source("state", lambda _: state.problems)
        self._retained = RetainedTopics(state)
        self._started_at = time.monotonic()
        self._stale_due = True
        bus.on_retained(self._on_retained)
        self._cameras = CameraRegistry(configuration, state, bus, listening, self._changed, self._tell, self._occupied)
        self._cameras.forget_other_overrides(self._retained.by_hand)
        frigate = configuration.frigate_compat
        self._frigate = FrigateTeller(frigate.topic_prefix, bus, self._cameras) if frigate.enabled else None
        self._observer = Observer(
            configuration, state, self._cameras, bus, self._events, self._notify, self._health, self._frigate
        )
        self._drained: set[str] = set()
        self._nodes = Nodes(nodes={})
        self._discovery = DiscoveryCache()
        self._announcer = Announcer(self._discovered, self._say_states, bus.deliver_at, state)
        status = PlainTopic("status", "online or offline", root=configuration.home_assistant.discovery_prefix)
        bus.on_plain(status, lambda received: self._announcer.on_status(received.payload.decode(errors="replace")))
        self._health_told: dict[str, Any] = {}
        RequestHandler(
            bus,
            {
                "info": self._on_info,
                "restart_camera": self._on_restart_camera,
                "snapshot": self._on_snapshot,
                "reload": self._on_reload,
                "drain_node": self._on_drain_node,
                "resume_node": self._on_resume_node,
            },
        )

    async def run(self) -> None:
        """Live until cancelled."""
        await run_together(
            self._events.run(), self._cameras.run(), self._observer.run(), self._tell_health(), self._hear_signals(),
            self._announcer.run(), self._run_hooks(), self._keep_retained(),
        )  # fmt: skip

    async def born(self) -> None:
        """Publish all that is retained: called after each connection to a broker, which may have lost it.

        Whatever is known to be there is published before `bridge/state` says that the gateway is.
        """
        self._health_told = {}
        with contextlib.suppress(BrokerError):  # when the cluster's is away, this is called again at its return
            await self._bus.publish(topics.BRIDGE_INFO, self._described())
        await self._cameras.publish_retained()
        await self._observer.born()
        await self._clear_stale()
        self._announcer.on_connected()

    async def farewell(self) -> None:
        """Publish that cameras are not there and nothing is seen, in this order: called when `bridge/state` says that
        the gateway is gone."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await self._cameras.publish_offline()
                if self._frigate is not None:
                    await self._frigate.farewell()
                await self._observer.farewell()
                await self._events.flush()
        write = self._retained.content(self._by_hand, last=True)
        if write is not None:
            write()

    # what is retained

    def _on_retained(self, topic: str, *, retained: bool) -> None:
        if topic.startswith(f"{self._configuration.home_assistant.discovery_prefix}/"):
            return  # the announcer knows these
        self._retained.note(topic, retained=retained)
        self._stale_due |= retained

    @property
    def _by_hand(self) -> frozenset[str]:
        """Return the cameras that were started by hand; for a while, those of the gateway's last run, too."""
        returning = time.monotonic() - self._started_at < RETURN_S
        return frozenset(self._cameras.by_hand) | (self._retained.by_hand if returning else frozenset())

    async def _clear_stale(self) -> None:
        """Clear what is retained of cameras, zones and labels that are not configured any more."""
        self._stale_due = False
        expected = expected_topics(
            self._configuration.cameras, self._followed_labels(), self._by_hand, prefix=self._bus.prefix,
            frigate=self._frigate.prefix if self._frigate is not None else None,
        )  # fmt: skip
        for topic in self._retained.stale(expected):
            with contextlib.suppress(BrokerError):  # when it is back, all is tried again
                await self._bus.publish_at(topic, "", retain=True)

    async def _keep_retained(self) -> None:
        """Keep the list of retained topics, and clear what became stale, until cancelled."""
        returned = False
        while True:
            await asyncio.sleep(LOOK_S)
            if self._retained.by_hand and not returned and time.monotonic() - self._started_at >= RETURN_S:
                returned = self._stale_due = True
            if self._stale_due and self._bus.public_connected.is_set():
                await self._clear_stale()
            write = self._retained.content(self._by_hand)
            if write is not None:
                await asyncio.to_thread(write)

    async def nodes_are(self, nodes: Nodes) -> None:
        """The edges, as they are now."""
        self._nodes = nodes
        self._announcer.request_update()
        lost = [name for name, node in nodes.nodes.items() if node.state is State.OFFLINE]
        await self._cameras.update_nodes(self._members.present, self._drained, lost)

    def _camera_problems(self, now: float) -> list[str]:
        """What does not fit the edges and pictures that there are, and what cameras that are online have to say."""
        cameras = self._configuration.cameras
        found = [f"camera {name}: {remark}" for name, remark in self._cameras.problems.items()]
        if now - self._started_at > EDGES_RETURN_S:  # edges have had time to come
            found += missing_edges(cameras, self._nodes.nodes)
        objects = {name: self._configuration.objects_of(name) for name in cameras}
        return [*found, *places_outside(cameras, self._sizes, objects)]

    async def observe(self, detections: FrameDetections, fetch: Fetch, heard_at: float) -> None:
        """Follow one frame's detections; the gateway heard of it at `heard_at`, in monotonic seconds."""
        if detections.camera in self._configuration.cameras:
            self._sizes[detections.camera] = detections.image
        await self._observer.observe(detections, fetch, heard_at)

    def ended(self, camera: str, outcome: Outcome) -> None:
        """A frame was published, or dropped."""
        self._health.ended(camera, outcome, time.monotonic())

    def settings(self, camera: str, revision: int) -> CameraSettings | None:
        """What the agent of a camera needs; None when that is not how it is now."""
        return self._cameras.agent_settings(camera, revision)

    def may_work(self, node: str) -> bool:
        """Whether a node may be given tiles of others."""
        return node not in self._drained

    def tell(self, kind: BridgeEventType, name: str = "", reason: str = "") -> None:
        """Something happened to the cluster."""
        self._tell(BridgeEvent(type=kind, name=name, reason=reason, at=time.time()))

    def _tell(self, event: BridgeEvent) -> None:
        self._events.put(topics.BRIDGE_EVENT, event)

    def _notify(self, event: ObjectEvent | Trigger) -> None:
        self._hooks.notify(event)

    async def _run_hooks(self) -> None:
        """Those of the configuration as it is; what waits for earlier ones is delivered first."""
        while True:
            self._hooks_changed.clear()
            running, changed = asyncio.create_task(self._hooks.run()), asyncio.create_task(self._hooks_changed.wait())
            try:
                await asyncio.wait([running, changed], return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()  # it never ends by itself but by a failure
            finally:
                for task in (running, changed):
                    task.cancel()
                await asyncio.gather(running, changed, return_exceptions=True)

    def _occupied(self, camera: str) -> bool:
        return self._observer.occupied(camera)

    def _changed(self, camera: str) -> None:
        self._stale_due = True
        self._observer.changed(camera)
        self._announcer.request_update()

    def _discovered(self) -> Mapping[str, str]:
        """Return what Home Assistant is to know of; labels as they were set last."""
        by_hand = sorted(self._cameras.by_hand)
        return self._discovery.messages(self._configuration, self._nodes, release(), self._followed_labels(), by_hand)

    def _followed_labels(self) -> dict[str, Sequence[str]]:
        """Return the labels that are followed, by camera: as they were set by MQTT, else as configured."""
        names = {*self._cameras.configured, *self._cameras.by_hand}
        return {name: self._cameras.followed_labels(name) for name in names}

    async def _say_states(self) -> None:
        """Who has just subscribed hears everything; what is retained it has heard already, if the broker has it."""
        await self._cameras.publish_retained()
        await self._observer.born()

    def _described(self) -> BridgeInfo:
        said = {"cameras": self._cameras.configured, "home_assistant": self._configuration.home_assistant.enabled}
        return self._info().model_copy(update=said)

    async def _tell_health(self) -> None:
        told_at = 0.0
        while True:
            await asyncio.sleep(LOOK_S)
            now, configured = time.monotonic(), self._cameras.configured
            online = sum(1 for name in self._cameras.online if name in configured)
            report = self._health.report(
                now, time.time(), len(self._members.present), (online, len(configured)), self._cameras.unavailable,
                self.problems.current(now),
            ).model_copy(update={"public_frames_dropped": self._bus.frames_dropped})  # fmt: skip
            lasting = report.model_dump(include={"nodes_online", "cameras_online", "cameras", "problems"})
            if self._bus.cluster_connected.is_set() and (lasting != self._health_told or now - told_at >= HEALTH_S):
                with contextlib.suppress(BrokerError):
                    await self._bus.publish(topics.BRIDGE_HEALTH, report)
                    self._health_told, told_at = lasting, now

    async def _hear_signals(self) -> None:
        """SIGHUP has the configuration read again, as it has other services do."""
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, asked.set)
        try:
            while True:
                await asked.wait()
                await self._bus.cluster_connected.wait()  # what changes has to be told
                asked.clear()
                try:
                    log.info("the configuration is read again: %s", await self.reload())
                except DeepThingsError as error:
                    log.warning("the configuration stays as it was: %s", error)
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    # requests

    async def _on_info(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return self._described().model_dump(mode="json")

    async def _on_restart_camera(self, said: Mapping[str, Any]) -> dict[str, Any]:
        name = required_name(said, "camera")
        await self._cameras.restart_camera(name)
        return {"camera": name}

    async def _on_snapshot(self, said: Mapping[str, Any]) -> dict[str, Any]:
        name = required_name(said, "camera")
        if name not in self._cameras.known:
            raise ConfigurationError(f"there is no camera {name!r}; there are {', '.join(self._cameras.configured)}")
        self._observer.want_snapshot(name)
        return {"camera": name}

    async def _on_drain_node(self, said: Mapping[str, Any]) -> dict[str, Any]:
        name = required_name(said, "node")
        if self._members.online(name) is None:
            raise ConfigurationError(
                f"no edge {name!r} is there; there are {', '.join(self._members.present) or 'none'}"
            )
        self._drained.add(name)
        await self.nodes_are(self._nodes)
        return {"node": name, "drained": sorted(self._drained)}

    async def _on_resume_node(self, said: Mapping[str, Any]) -> dict[str, Any]:
        name = required_name(said, "node")
        self._drained.discard(name)
        await self.nodes_are(self._nodes)
        return {"node": name, "drained": sorted(self._drained)}

    async def _on_reload(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return await self.reload()

    async def reload(self) -> dict[str, Any]:
        """Read the configuration once more, and follow it as far as that goes without a restart.

        Raises ConfigurationError when there is no file, or it is wrong: then nothing changes.
        """
        if self._read is None:
            raise ConfigurationError("this gateway was started without a configuration file: nothing to read again")
        before, after = self._configuration, await asyncio.to_thread(self._read)
        changes = differences(before, after)
        self._configuration = after
        if before.hooks != after.hooks:
            self._hooks = HookSet(after.hooks)
            self._hooks_changed.set()
        await self._observer.reload(after)
        await self._cameras.reload(after, changes.removed)
        await self._observer.born()
        await self._clear_stale()
        with contextlib.suppress(BrokerError):  # when it is back, it hears everything
            await self._bus.publish(topics.BRIDGE_INFO, self._described())
        self._announcer.request_update()
        self.tell(BridgeEventType.CONFIGURATION_RELOADED)
        return {
            "added": list(changes.added), "removed": list(changes.removed), "restarted": list(changes.restarted),
            "changed": list(changes.rearranged), "sections": list(changes.sections),
            "needs_restart": list(changes.gateway),
        }  # fmt: skip
