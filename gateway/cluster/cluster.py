"""A running cluster: its plan, its edges, their announcements, grants and results, and the outcomes of frames."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.collector import Assembly, Collector, Receipt
from gateway.cluster.coordinator import Coordinator, Match
from gateway.cluster.finisher import Finisher
from gateway.cluster.frame_endings import FrameEndings
from gateway.cluster.nodes_publisher import NodesPublisher
from gateway.cluster.replanning import Replanner
from gateway.cluster.sharing_service import SharingService
from gateway.cluster.trust.barring import Barring
from gateway.cluster.victims import VICTIM_POLICIES
from gateway.planning.planner import write_plan
from shared.engine.arena import release_freed_memory
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.network.addresses import advertised_address
from shared.payloads.bridge import BridgeEventType, BridgeInfo, PlanInfo
from shared.payloads.cluster import (
    MAX_REASON_LENGTH,
    Grant,
    Nodes,
    NodeState,
    NodeStats,
    State,
    StealRequest,
    TaskAnnouncement,
    TileDone,
)
from shared.payloads.frames import FrameInfo, Outcome
from shared.payloads.versions import PROTOCOL
from shared.plan.plan import Distribution
from shared.process.lifecycle import installed_version, run_together
from shared.tracing.spans import Part, tracer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.broker.planes import Planes
    from gateway.cluster.cluster_listener import ClusterListener
    from gateway.cluster.data_plane import DataPlane
    from gateway.membership.members import Membership
    from gateway.models.catalogue import Model
    from gateway.options import GatewayOptions
    from gateway.planning.partitioned import PartitionedModel
    from shared.model.arrays import Array
    from shared.wire.connection import Payload
    from shared.wire.headers import ResultHeader, StripsRequestHeader, TileHeader

log = logging.getLogger(__name__)

DEADLINE_CHECK_PERIOD_S = 0.25
"""Deadlines are checked this often: they are seconds long, and a gateway without frames should use little CPU."""

LAST_FRAMES_TIMEOUT_S = 2.0
"""A stopping gateway waits this long until complete frames are published."""


class Cluster:
    """Makes plans, coordinates the present edges, collects their results and publishes detections."""

    def __init__(
        self,
        options: GatewayOptions,
        model: Model,
        partitioned: PartitionedModel,
        data: DataPlane,
        bus: Planes,
        members: Membership,
        listener: ClusterListener,
    ) -> None:
        """Start with one plan. Raises ConfigurationError when edges would refuse it."""
        self._options = options
        self._data = data
        self._bus = bus
        self._members = members
        self._listener = listener
        self._coordinator = Coordinator(VICTIM_POLICIES[options.policy])
        self._barring = Barring(
            members, self._on_barred,
            publish=lambda standing: bus.publish_soon(topics.STANDINGS, standing, standing.node),
            publish_event=listener.on_cluster_event,
        )  # fmt: skip
        self._sharing = SharingService(members, data.traffic, options.frames_at_once, self._barring.may_compute)
        self._replanner = Replanner(options, model, members)
        self._adopt_plan(partitioned)
        self._endings = FrameEndings(bus, listener.on_frame_ended)
        self._finisher = Finisher(
            options,
            partitioned,
            bus,
            data.traffic,
            members.address,
            listener.on_detections,
            self._endings.has_ended,
            self._barring.is_suspected,
            self._barring.on_wrong_tiles,
            listener.on_frame_time,
        )
        if not self._replanner.needed:
            model.forget_weights()
            release_freed_memory()
        self._nodes_publisher = NodesPublisher(bus, self._nodes, listener.on_nodes)
        data.serve_cluster(on_result=self._on_result, on_tile=self._on_shared_tile, strips_of=self._strips_of)
        bus.on(topics.NODE_STATE, self._on_node_state)
        bus.on(topics.NODE_STATS, self._on_node_stats)
        bus.on(topics.TASKS, self._on_tasks)
        bus.on(topics.STEAL, self._on_steal)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`, and then until all frames have an outcome."""
        await run_together(
            self._sharing.run(),
            self._replan(),
            self._watch_deadlines(),
            self._nodes_publisher.run(),
            self._finisher.run(self._decide, self._free_frame),
            self._stop_frames(stop),
        )

    async def on_connected(self) -> None:
        """Publish the plan again: called after each (re)connect to the cluster's broker, which may have lost it."""
        self._members.expect_all_nodes(time.monotonic())
        await self._bus.publish(topics.PLAN, self._plan)
        self.publish_nodes_soon()

    def publish_nodes_soon(self) -> None:
        """Publish the list of nodes soon."""
        self._nodes_publisher.publish_soon()

    def problems(self) -> tuple[str, ...]:
        """Return the problems of edges, a line for each."""
        return self._barring.problems()

    def info(self) -> BridgeInfo:
        """Return the gateway's version, model and plan."""
        stage, spec = self._partitioned.stages[-1], self._partitioned.spec
        return BridgeInfo(
            version=installed_version(),
            protocol=PROTOCOL,
            topic_prefix=self._bus.prefix,
            model=spec.name,
            labels=spec.labels,
            plan=PlanInfo(
                epoch=self._plan.epoch, method=str(self._options.method), grid=str(stage.grid), cut=stage.cut,
                tiles=self._plan.tile_count,
            ),
        )  # fmt: skip

    async def _stop_frames(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; then publish complete frames, and publish to owners that the others are dropped."""
        await stop.wait()
        for assembly in self._collector.assemblies():
            if not assembly.merged.complete:
                self._end_frame(assembly, Outcome.STOPPED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_FRAMES_TIMEOUT_S):
                await self._finisher.wait_finished()
        for assembly in self._collector.assemblies():
            self._decide(assembly, Outcome.STOPPED)

    # the plan

    def _adopt_plan(self, partitioned: PartitionedModel, nodes: Sequence[str] = ()) -> None:
        """Follow another plan; the incomplete frames of the one before must have ended."""
        options = self._options
        self._partitioned = partitioned
        self._collector = Collector(
            partitioned.stage, partitioned.map_shapes, options.frames_at_once, options.terms.deadline_s
        )
        self._plan = write_plan(
            options.method,
            partitioned.model.network,
            partitioned.spec.preprocessing,
            partitioned.stages,
            self._data.offer_programs(partitioned.programs),
            epoch=time.time_ns() // 1_000_000,
            gateway=advertised_address(self._data.address, self._members.broker),
            terms=options.terms,
        )
        self._sharing.adopt_plan(self._plan, nodes)

    async def _replan(self) -> None:
        """Follow the present devices, for a method whose plan is made for each of them."""
        async for partitioned, nodes in self._replanner.run():
            for assembly in self._collector.assemblies():
                if not assembly.merged.complete:
                    self._end_frame(assembly, Outcome.REPLANNED)
            self._adopt_plan(partitioned, nodes)  # complete frames are not affected: the finisher has their maps
            await self._finisher.wait_finished()  # owners give up their other frames when they receive the new plan
            self._listener.on_cluster_event(BridgeEventType.REPLANNED, str(self._plan.epoch))
            with contextlib.suppress(BrokerError):
                await self._bus.publish(topics.PLAN, self._plan)

    # edges

    def _on_node_state(self, name: str, node: NodeState) -> None:
        if node.node != name:
            return
        refusal = self._members.refusal(node)
        level = logging.WARNING if refusal else logging.INFO
        log.log(level, "edge %s is %s", name, f"refused: {refusal}" if refusal else node.state)
        before = self._members.online(name) is not None
        self._members.on_state(node)
        if before != (self._members.online(name) is not None):
            event = BridgeEventType.NODE_LOST if before else BridgeEventType.NODE_JOINED
            self._listener.on_cluster_event(event, name)
        if self._members.online(name) is not None:
            self._barring.publish_standing(name)
        if node.state is State.OFFLINE:
            self._coordinator.forget_node(name)
            self._sharing.on_node_lost(name)
            self._drop_frames(self._collector.orphaned(name))
            self._endings.on_node_lost(name)
        self._nodes_publisher.publish_soon()

    def _on_node_stats(self, _: str, stats: NodeStats) -> None:
        self._members.on_stats(stats)
        if self._members.online(stats.node) is not None:
            self._barring.on_test_passed(stats.node, stats.passed)
        self._nodes_publisher.publish_soon()

    def _on_tasks(self, _: str, announcement: TaskAnnouncement) -> None:
        self._answer_given_up(announcement)
        if announcement.epoch != self._plan.epoch or self._members.online(announcement.node) is None:
            if announcement.opened is not None and announcement.epoch != self._plan.epoch:
                self._endings.publish_outcome(announcement.opened.frame, announcement.node, Outcome.REPLANNED)
            return
        if announcement.opened is not None:
            self._open_frame(announcement.opened, announcement.node)
        matches = self._coordinator.on_announcement(
            announcement.node, announcement.waiting, announcement.overdue, announcement.near, announcement.unfit
        )
        self._publish_grants(matches)

    def _on_steal(self, _: str, request: StealRequest) -> None:
        known = request.epoch == self._plan.epoch and self._members.online(request.node) is not None
        if known and not self._members.is_drained(request.node) and self._barring.may_compute(request.node):
            self._publish_grants(self._coordinator.on_request(request.node, request.missed, idle=request.idle))

    def _publish_grants(self, matches: list[Match]) -> None:
        for match in matches:
            victim = self._members.online(match.victim)
            if victim is not None:
                grant = Grant(epoch=self._plan.epoch, victim=match.victim, host=victim.host, port=victim.port)
                self._bus.publish_soon(topics.GRANTS, grant, match.thief)

    def _nodes(self) -> Nodes:
        received = {f"tcp_{kind}": count for kind, count in self._data.traffic.items()}
        by_mqtt = {"mqtt": self._bus.sent_bytes, "mqtt_received": self._bus.received_bytes}
        return self._barring.add_standings(self._members.report({**received, **by_mqtt}))

    def _on_barred(self, node: str) -> None:
        """Reassign the tasks of a node that was barred."""
        self._coordinator.withdraw_request(node)
        self._sharing.on_barred(node)
        self._nodes_publisher.publish_soon()

    # frames

    def _answer_given_up(self, announcement: TaskAnnouncement) -> None:
        """Publish the outcomes of frames that an owner gives up: those that it proposes, unless others are decided.

        Complete frames are about to be published; their outcome is published then.
        """
        under_way = {assembly.info.frame: assembly for assembly in self._collector.assemblies()}
        for frame, outcome in announcement.given_up.items():
            assembly = under_way.get(frame)
            if self._endings.has_ended(frame):
                self._endings.publish_outcome(frame, announcement.node, outcome)
            elif assembly is None:
                self._collector.close_frame(frame)  # late results must not open it again
                self._endings.publish_outcome(frame, announcement.node, outcome)
            elif assembly.owner == announcement.node and not assembly.merged.complete:
                self._end_frame(assembly, outcome)

    def _open_frame(self, info: FrameInfo, owner: str) -> None:
        """Open a frame; if it has an outcome, the owner has missed it, and it is published again."""
        if self._endings.has_ended(info.frame):
            self._endings.publish_outcome(info.frame, owner, Outcome.FAILED)
        elif self._collector.open_frame(info, owner, time.monotonic()) is None:
            log.warning("%s dropped: %s other frames are under way", info.frame, self._options.frames_at_once)
            self._collector.close_frame(info.frame)
            self._endings.decide_outcome(info, owner, Outcome.OVERLOAD)

    def _on_result(self, result: ResultHeader, payload: Payload) -> None:
        known = self._members.online(result.worker) and self._members.online(result.owner)
        if result.epoch != self._plan.epoch or known is None:
            return
        if result.error or not self._barring.may_compute(result.worker):
            self._tile_failed(result, result.error or "this node is barred")
            return
        with tracer.measure(Part.MERGE, result.info.frame, result.tile):
            receipt = self._collector.add_result(result, payload, time.monotonic())
        if receipt is Receipt.NOT_FINITE:
            self._tile_failed(result, "its result contains values that are not finite")
            return
        self._barring.on_tile_computed(result.worker)
        if receipt is Receipt.FULL:
            self._open_frame(result.info, result.owner)
            return
        self._replanner.speeds.add_result(result.worker, result.macs, result.compute_ms)
        if self._plan.distribution is Distribution.SHARING:
            self._sharing.on_result(result.info.frame, result.tile)
        else:
            self._bus.publish_soon(topics.RESULTS, self._tile_done(result), result.owner)
        if receipt is Receipt.COMPLETED:
            self._finisher.finish_soon(self._collector.get_assembly(result.info.frame))

    def _tile_failed(self, result: ResultHeader, reason: str) -> None:
        """Let other nodes compute a tile that its worker could not compute."""
        now, worker = time.monotonic(), result.worker
        if self._members.online(worker) is None or result.tile >= self._plan.tile_count:
            return
        log.debug("%s tile %s is not computed by %s: %s", result.info.frame, result.tile, worker, reason)
        self._barring.on_tile_failed(worker, reason)
        self._nodes_publisher.publish_soon()
        if not self._collector.on_tile_failed(result.info, result.owner, worker, result.tile, now):
            return
        if self._plan.distribution is Distribution.SHARING:
            self._sharing.on_tile_failed(result.info.frame, result.tile, worker)
        else:
            failed = TileDone(
                frame=result.info.frame,
                tile=result.tile,
                worker=worker,
                compute_ms=0.0,
                error=reason[:MAX_REASON_LENGTH],
            )
            self._bus.publish_soon(topics.RESULTS, failed, result.owner)
        self._drop_hopeless()

    def _tile_done(self, result: ResultHeader) -> TileDone:
        frame = result.info.frame
        return TileDone(
            frame=frame,
            tile=result.tile,
            worker=result.worker,
            compute_ms=result.compute_ms,
            macs=result.macs,
            fetch_bytes_per_s=result.fetch_bytes_per_s,
            strips=self._collector.kept_readers(frame, result.tile),
        )

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(DEADLINE_CHECK_PERIOD_S)
            self._drop_frames(self._collector.overdue(time.monotonic()))
            self._drop_hopeless()
            self._barring.lift_bars()
            self._sharing.reassign_expired()
            for node in self._members.lost_nodes(time.monotonic()):
                self._on_node_state(node.node, node)

    def _drop_hopeless(self) -> None:
        """Give up frames with a tile that no remaining node can compute."""
        able = self._barring.able_nodes(self._plan.epoch)
        if able is not None:
            self._drop_frames(self._collector.hopeless(able, together=len(self._plan.stages) > 1))

    def _drop_frames(self, frames: list[tuple[Assembly, Outcome]]) -> None:
        for assembly, outcome in frames:
            missing = ", ".join(str(tile) for tile in sorted(assembly.merged.missing))
            level = logging.DEBUG if outcome is Outcome.FAILED else logging.WARNING  # the reason is logged already
            log.log(level, "%s dropped (%s): tiles %s are missing", assembly.info.frame, outcome, missing)
            self._end_frame(assembly, outcome)

    def _end_frame(self, assembly: Assembly, outcome: Outcome) -> None:
        self._decide(assembly, outcome)
        self._free_frame(assembly)

    def _decide(self, assembly: Assembly, outcome: Outcome) -> bool:
        return self._endings.decide_outcome(assembly.info, assembly.owner, outcome)

    def _free_frame(self, assembly: Assembly) -> None:
        self._collector.close_frame(assembly.info.frame)
        self._sharing.drop_frame(assembly.info.frame)

    def _strips_of(self, request: StripsRequestHeader) -> dict[int, list[Array]]:
        """Return the kept strips that a node requests; none for a request of another plan."""
        if request.epoch != self._plan.epoch:
            return {}
        return self._collector.kept_strips(request.frame, request.givers, request.reader)

    def _on_shared_tile(self, header: TileHeader, payload: Payload) -> None:
        """Share out a tile, unless its frame is finished or of another plan."""
        known = header.epoch == self._plan.epoch and header.tile < self._plan.tile_count
        if known and not self._collector.is_finished(header.info.frame) and self._members.online(header.owner):
            self._sharing.on_tile(header, payload)
