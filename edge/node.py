"""An edge as a process: builds its parts, handles messages of the bus and connections on the data plane."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

from edge.cameras.agent_sessions import CameraSessions
from edge.cameras.assignments import Assignments
from edge.cameras.supervisor import CameraSupervisor
from edge.computing.border_exchange import BorderExchange
from edge.computing.plan_preparation import PlanPreparation
from edge.computing.prepared_plans import PreparedPlans
from edge.computing.strips import StripStore
from edge.gateway_link import GatewayLink
from edge.owner import Owner
from edge.peer_service import PeerService
from edge.plan_follower import PlanFollower
from edge.shared_work import SharedWork
from edge.status import vitals
from edge.status.edge_metrics import edge_metrics
from edge.status.loopback import loopback_mistakes
from edge.status.recent_rate import RecentRate
from edge.status.unreached_peers import unreached_peers
from edge.thief import Thief
from edge.worker import MAX_UNSENT_RESULTS, Worker
from shared.errors import BrokerError
from shared.files.unfinished import remove_abandoned
from shared.logs.printable import printable
from shared.logs.rate_limit import RateLimit
from shared.metrics.metrics_server import MetricsServer
from shared.mqtt import topics
from shared.mqtt.bus import Bus
from shared.mqtt.outgoing import Outgoing
from shared.mqtt.own_state import OwnState
from shared.network.addresses import Address, advertised_address, local_address
from shared.payloads.cluster import (
    MAX_REASON_LENGTH,
    BridgeState,
    NodeStanding,
    NodeState,
    NodeStats,
    State,
    TileCounts,
)
from shared.payloads.versions import LINK_PROTOCOL, PROTOCOL, UNDERSTOOD_PROTOCOLS, compatible
from shared.process.lifecycle import installed_version, run_together
from shared.process.malloc import release_freed_memory
from shared.security.camera_permit import make_permit
from shared.security.data_security import DataSecurity
from shared.systemd import notification
from shared.wire.courier import Courier
from shared.wire.permissions import EDGE_DOOR
from shared.wire.server import DataServer
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from edge.computing.plan_work import PlanWork
    from edge.options import EdgeConfig
    from edge.status.gateway_watch import GatewayWatch
    from shared.mqtt.name_claim import NameOwner
    from shared.plan.plan import PlanOffer, PlanPreference

log = logging.getLogger(__name__)

NODE_STATS_PERIOD_S = 1.0
"""An edge publishes its figures this often while they change."""

MISTAKE_REPEAT_PERIOD_S = 600.0
"""A lasting mistake of the configuration is logged again at most this often."""

UNCHANGED_STATS_PERIOD_S = 30.0
"""Figures are published this often while only load and temperature change."""

RETIREMENT_CHECK_PERIOD_S = 1.0
"""Withdrawn plans are removed this long after their last frame's deadline, at most."""

LAST_OUTCOMES_TIMEOUT_S = 1.0
"""A stopping edge waits this long for the outcomes of its last frames."""


class EdgeNode:
    """Runs the owner, thief and worker of one device."""

    def __init__(self, config: EdgeConfig, owner: NameOwner, watch: GatewayWatch) -> None:
        self._config = config
        self._name_owner = owner
        security = DataSecurity(config.identity) if config.identity is not None else None
        self._traffic = WireTraffic(security)
        self._bus = Bus(
            config.broker,
            owner.client_id,
            will=Outgoing(topics.NODE_STATE, self._state(State.OFFLINE), config.name),
            on_connected=self._on_connected,
            prefix=config.topic_prefix,
            owner=owner,
            login=config.login,
        )
        self._own_state = OwnState(lambda: self._state(State.ONLINE), self._publish_state)
        self._courier = Courier(self._traffic, MAX_UNSENT_RESULTS)
        self._strips = StripStore(self._traffic)
        self._prepared = PreparedPlans()
        self._worker = Worker(config.name, self._courier, self._strips)
        self._thief = Thief(config.name, self._prepared, self._bus, self._traffic, self._strips, self._worker.wake)
        self._owner = Owner(config.name, self._prepared, self._bus, self._courier, self._on_own_work)
        self._exchange = BorderExchange(config.name, self._bus.broker, self._courier)
        self._shared = SharedWork(self._prepared, self._worker, self._exchange)
        self._cameras = CameraSessions(
            config.name, self._bus, self._owner, config.max_frames, lambda: self._worker.idle_lanes,
            reports_to_gateway=config.identity is not None,
        )  # fmt: skip
        self._link = GatewayLink(
            config.name, self._traffic, self._owner.tasks.on_tile_done, self._owner.on_frame_done,
            self._owner.send_assigned_tile, self._owner.reannounce_tasks,
        )  # fmt: skip
        self._rate, self._cpu = RecentRate(), vitals.CpuShare()
        self._newest_stats: NodeStats | None = None
        self._metrics = self._metrics_server()
        self._preparation = PlanPreparation(config, self._traffic, self._prepared, self._on_prepared)
        self._gateway: BridgeState | None = None
        self._gateway_host = ""
        self._postponed: PlanOffer | None = None
        self._warnings = RateLimit(MISTAKE_REPEAT_PERIOD_S)
        self._plans = PlanFollower(self._adopt_plans)
        self._mean_frames = 0.0
        service = PeerService(self._owner, self._shared, self._exchange, self._cameras)
        if config.identity is not None:
            self._require_permits(make_permit(config.identity.folder))
        self._server = DataServer(service.serve, config.listen, self._traffic, EDGE_DOOR, self._shared.bound_of)
        self.port = self._server.address.port
        self._supervisor = CameraSupervisor(local_address(self._server.address), self._cameras)
        self._assignments = Assignments(config.broker, self._traffic, self._supervisor)
        watch.subscribe(self._bus)
        self._subscribe()

    def _require_permits(self, permit: str) -> None:
        """Let agents that are started by hand show this permit, unless devices without keys take part anyway."""
        security = self._traffic.security
        self._cameras.required_permit = lambda: None if security is not None and security.open else permit

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`. Raises DeepThingsError when the edge cannot go on."""
        remove_abandoned(self._config.cache)
        log.info("edge %s listens on %s", self._config.name, self._server.address)
        await run_together(
            self._server.run(),
            self._plans.run(),
            self._owner.run(),
            self._thief.run(),
            self._worker.run(self._owner.tasks, self._thief, self._cameras.expect_frame, self._cameras.invite_frames),
            self._worker.prefetch_strips(self._owner.tasks),
            self._shared.run(),
            self._courier.run(),
            self._link.run(),
            self._assignments.run(),
            self._supervisor.run(),
            self._retire_plans(),
            self._preparation.repeat_speed_trials(lambda: self._worker.own + self._worker.stolen),
            self._report_stats(),
            self._own_state.run(),
            self._stop(stop),
            *([] if self._metrics is None else [self._metrics.run()]),
            notification.current_manager.follow_connection(self._bus.connected, f"broker {self._config.broker}"),
            self._bus.run(),
        )

    async def _stop(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; then give up frames, stop cameras and publish the last figures. All parts still run."""
        await stop.wait()
        await self._owner.stop_frames(LAST_OUTCOMES_TIMEOUT_S)
        await self._supervisor.close()
        await self._cameras.close()
        with contextlib.suppress(BrokerError):
            await self._bus.publish(topics.NODE_STATS, self._stats(), self._config.name)

    # the bus

    def _subscribe(self) -> None:
        name = self._config.name
        if self._traffic.security is not None:
            follow = self._traffic.security.on_members
            self._bus.on(topics.MEMBERS, lambda _, members: follow(members))
        self._bus.on(topics.BRIDGE_STATE, self._on_bridge_state)
        self._bus.on(topics.PLAN, self._on_plan)
        self._bus.on(topics.PREFERRED_PLAN, self._on_preference)
        self._bus.on(topics.HELPERS, lambda _, helpers: self._owner.tasks.on_helpers(helpers))
        self._bus.on(topics.GRANTS, lambda _, grant: self._thief.on_grant(grant), name)
        self._bus.on(topics.RESULTS, lambda _, done: self._owner.tasks.on_tile_done(done), name)
        self._bus.on(topics.OUTCOMES, lambda _, done: self._owner.on_frame_done(done), name)
        self._bus.on(topics.NODE_STATE, self._on_node_state)
        self._bus.on(topics.STANDINGS, lambda _, standing: self._on_standing(standing), name)
        self._bus.on(topics.CAMERAS, lambda _, assigned: self._assignments.on_assignment(assigned), name)

    async def _on_connected(self) -> None:
        """Publish all retained state: called after each (re)connect."""
        await self._publish_state()
        self._resume()

    async def _publish_state(self) -> None:
        await self._bus.publish(topics.NODE_STATE, self._state(State.ONLINE), self._config.name)

    def _resume(self) -> None:
        """Announce and request everything again: the gateway may have lost it."""
        self._owner.reannounce_tasks()
        self._cameras.republish_stats()
        self._thief.forget_request()
        self._worker.wake()

    def _on_own_work(self, announced: bool) -> None:
        """Follow a change of own tasks; the gateway drops a node's request for others when it announces own ones."""
        if announced:
            self._thief.forget_request()
        elif self._thief.has_requested and self._owner.tasks.announce_long_frames():
            return  # which has come back here
        self._worker.wake()
        self._cameras.invite_frames()

    def _on_bridge_state(self, _: str, bridge: BridgeState) -> None:
        """Check the gateway's protocol; follow a plan that was postponed because of another, incompatible gateway."""
        self._gateway = bridge
        kind = (bridge.version, bridge.protocol)
        if not self._compatible and self._warnings.allows(kind, time.monotonic()):
            log.error(
                "the gateway (release %s) speaks version %s of the protocol, this edge (release %s) version %s: "
                "install the same release of deepthings on both; waiting for another gateway",
                printable(bridge.version), bridge.protocol, installed_version(), PROTOCOL,
            )  # fmt: skip
        if self._compatible and self._postponed is not None:
            plan, self._postponed = self._postponed, None
            self._plans.on_plan(plan)
        self._follow_gateway()
        self._warn_of_loopback()

    def _follow_gateway(self) -> None:
        """Open a link to the gateway whose plan is followed, if it understands that."""
        work, bridge = self._prepared.preferred, self._gateway
        understood = work is not None and bridge is not None and LINK_PROTOCOL in bridge.understood
        self._link.follow_gateway(work.gateway if work is not None and understood else None)

    @property
    def _compatible(self) -> bool:
        """Return whether gateway and edge understand each other, or no gateway is online."""
        bridge = self._gateway
        return bridge is None or bridge.state is not State.ONLINE or compatible(bridge.protocol, bridge.understood)

    def _warn_of_loopback(self) -> None:
        """Warn of loopback addresses that cannot work with this gateway."""
        if self._gateway is None:
            return
        own_host = advertised_address(self._server.address, self._config.broker).host
        for mistake in loopback_mistakes(
            self._name_owner.identity, own_host, self._gateway.identity, self._gateway_host
        ):
            if self._warnings.allows(mistake, time.monotonic()):
                log.warning("%s", mistake)

    def _on_node_state(self, name: str, node: NodeState) -> None:
        if node.node != name:
            return
        if name == self._config.name:
            self._own_state.on_received(node)
        elif node.state is State.ONLINE:
            self._owner.tasks.on_node_found(name)
        else:
            self._owner.tasks.on_node_lost(name)

    def _state(self, state: State) -> NodeState:
        online = state is State.ONLINE
        address = advertised_address(self._server.address, self._config.broker) if online else Address("", 0)
        return NodeState(
            node=self._config.name, state=state, protocol=PROTOCOL, understood=tuple(sorted(UNDERSTOOD_PROTOCOLS)),
            version=installed_version(), host=address.host, port=address.port, cameras=self._config.cameras,
            identity=self._name_owner.identity, insecure=self._config.insecure,
        )  # fmt: skip

    def _stats(self) -> NodeStats:
        lanes = self._worker.lanes
        received = Counter({f"tcp_{kind}": count for kind, count in self._traffic.items()})
        return NodeStats(
            node=self._config.name,
            epoch=next(iter(self._prepared.epochs), 0),
            also=self._prepared.epochs[1:],
            tiles=TileCounts(own=self._worker.own, stolen=self._worker.stolen),
            bytes={**received, "mqtt": self._bus.sent_bytes, "mqtt_received": self._bus.received_bytes},
            cameras=self._cameras.cameras,
            tiles_per_s=self._rate.rate_at(time.monotonic(), self._worker.own + self._worker.stolen),
            frames=self._mean_frames,
            load=self._cpu.share_since_last(),
            cores=os.cpu_count() or 0,
            threads=lanes.count * lanes.threads,
            lanes=lanes.count,
            macs_per_s=self._preparation.macs_per_s,
            kernels=self._preparation.kernels.costs,
            usable_cores=self._config.computing.usable,
            memory_bytes=self._preparation.memory_bytes(time.monotonic()),
            temperature=vitals.temperature(),
            problem=self._plans.problem[: 2 * MAX_REASON_LENGTH],
            passed=self._preparation.passed_trial if self._worker.barred else 0,
            unreached=unreached_peers(self._traffic, time.monotonic()),
        )

    def _metrics_server(self) -> MetricsServer | None:
        address = Address(self._config.listen.host, self._config.metrics_port)
        metrics = lambda: edge_metrics(self._newest_stats, installed_version())  # noqa: E731  (it is one line)
        return MetricsServer(address, metrics) if address.port else None

    async def _report_stats(self) -> None:
        published: NodeStats | None = None
        published_at = 0.0
        while True:
            await asyncio.sleep(NODE_STATS_PERIOD_S)
            if self._preparation.leave_core_to_cameras(len(self._cameras.cameras)):
                self._plans.retry_plan()
            now = time.monotonic()
            self._mean_frames = round(self._owner.tasks.take_mean_load(now), 2)
            stats = self._newest_stats = self._stats()
            same = published is not None and _lasting_figures(stats) == _lasting_figures(published)
            if not same or now - published_at >= UNCHANGED_STATS_PERIOD_S:
                self._bus.publish_soon(topics.NODE_STATS, stats, self._config.name)
                published, published_at = stats, now

    def _on_standing(self, standing: NodeStanding) -> None:
        """Process that the gateway bars this node, or lifts its bar."""
        if standing.barred and not self._worker.barred:
            log.warning("the gateway gives this edge no work, because it %s", standing.reason)
        elif self._worker.barred and not standing.barred:
            log.info("the gateway gives this edge work again")
        self._worker.barred = standing.barred
        self._owner.tasks.computes_here = not standing.barred
        if self._preparation.request_trial(standing.trial if standing.barred else 0):
            self._plans.retry_plan()
        if not standing.barred:
            self._thief.forget_request()
            self._worker.wake()

    # the plan

    def _on_plan(self, _: str, plan: PlanOffer) -> None:
        """Follow a plan; postpone one of an incompatible gateway until a compatible gateway is online."""
        if self._compatible:
            self._postponed = None
            self._plans.on_plan(plan)
        else:
            self._postponed = plan
        self._gateway_host = plan.gateway_host
        self._warn_of_loopback()

    def _on_preference(self, _: str, preference: PlanPreference) -> None:
        """Let new frames follow the plan that the gateway prefers."""
        self._preparation.preferred = preference.epoch
        self._prepared.prefer(preference.epoch)
        self._use_preferred_lanes()

    def _use_preferred_lanes(self) -> None:
        work = self._prepared.preferred
        if work is not None:
            self._worker.use_lanes(work.lanes)
            self._cameras.use_lanes(work.lanes.count if work.finds_objects else 1)

    async def _adopt_plans(self, newest: PlanOffer) -> None:
        """Prepare the offered plans and follow them. Raises DeepThingsError."""
        await self._preparation.adopt(newest)
        self._bus.publish_soon(topics.NODE_STATS, self._stats(), self._config.name)
        self._resume()

    def _on_prepared(self, _: PlanWork) -> None:
        """Use a plan that is ready."""
        self._use_preferred_lanes()
        self._cameras.open()
        self._worker.wake()
        self._follow_gateway()
        self._bus.publish_soon(topics.NODE_STATS, self._stats(), self._config.name)

    async def _retire_plans(self) -> None:
        """Free the plans that are not offered any more once their last frame has ended, until cancelled."""
        while True:
            await asyncio.sleep(RETIREMENT_CHECK_PERIOD_S)
            if self._prepared.remove_expired(time.monotonic()):
                self._owner.give_up_removed_plans()
                release_freed_memory()


def _lasting_figures(stats: NodeStats) -> tuple[object, ...]:
    """Return the figures that are published as soon as they change."""
    return (
        stats.epoch,
        stats.also,
        (stats.macs_per_s, stats.kernels),
        stats.tiles,
        stats.tiles_per_s,
        stats.cameras,
        stats.problem,
        stats.passed,
        stats.unreached,
    )
