"""One cluster at work: its plan, its edges, their announcements, grants and results, and what becomes of frames."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.collector import Assembly, Collector, Receipt
from gateway.cluster.coordinator import Coordinator, Match
from gateway.cluster.endings import Endings
from gateway.cluster.finisher import Finisher
from gateway.cluster.nodes_publisher import NodesPublisher
from gateway.cluster.replanning import Replanning
from gateway.cluster.sharing_service import Sharer
from gateway.cluster.trust.barring import Barring
from gateway.cluster.victims import POLICIES
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
)  # fmt: skip
from shared.payloads.frames import FrameInfo, Outcome
from shared.payloads.versions import PROTOCOL
from shared.plan.plan import Distribution
from shared.process.lifecycle import installed_version, run_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.broker.planes import Planes
    from gateway.cluster.data_plane import DataPlane
    from gateway.cluster.listener import ClusterListener
    from gateway.membership.members import Membership
    from gateway.models.catalogue import Model
    from gateway.options import GatewayOptions
    from gateway.planning.partitioned import PartitionedModel
    from shared.model.arrays import Array
    from shared.wire.connection import Payload
    from shared.wire.headers import ResultHeader, StripsRequestHeader, TileHeader

log = logging.getLogger(__name__)

CHECK_S = 0.25
"""How often deadlines are looked at; they are seconds away, and a gateway without a frame looks for ever."""

LAST_FRAMES_S = 2.0
"""When the gateway stops, frames whose tiles are all there have so long to be published."""


class Cluster:
    """Plans, coordinates, collects and publishes, with the edges that are there."""

    def __init__(
        self,
        config: GatewayOptions,
        model: Model,
        partitioned: PartitionedModel,
        data: DataPlane,
        bus: Planes,
        members: Membership,
        listener: ClusterListener,
    ) -> None:
        """Begin with one plan. Raises ConfigurationError where it cannot be carried out."""
        self._config = config
        self._data = data
        self._bus = bus
        self._members = members
        self._listener = listener
        self._coordinator = Coordinator(POLICIES[config.policy])
        self._barring = Barring(
            members, self._on_barred, post=lambda standing: bus.publish_soon(topics.STANDINGS, standing, standing.node),
            tell=listener.on_cluster_event,
        )  # fmt: skip
        self._sharer = Sharer(members, data.traffic, config.frames_at_once, self._barring.may_compute)
        self._replanning = Replanning(config, model, members)
        self._adopt(partitioned)
        self._endings = Endings(bus, listener.on_frame_ended)
        self._finisher = Finisher(
            config,
            partitioned,
            bus,
            data.traffic,
            members.address,
            listener.on_detections,
            self._endings.decided,
            self._barring.suspected,
            self._barring.found_wrong,
        )
        if not self._replanning.needed:
            model.forget_weights()
            release_freed_memory()
        self._nodes_publisher = NodesPublisher(bus, self._nodes, listener.on_nodes)
        data.serve_cluster(on_result=self._on_result, on_tile=self._on_shared_tile, strips_of=self._strips_of)
        bus.on(topics.NODE_STATE, self._on_node_state)
        bus.on(topics.NODE_STATS, self._on_node_stats)
        bus.on(topics.TASKS, self._on_tasks)
        bus.on(topics.STEAL, self._on_steal)

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop`, and then until frames have their end."""
        await run_together(
            self._sharer.run(),
            self._replan(),
            self._watch_deadlines(),
            self._nodes_publisher.run(),
            self._finisher.run(self._decide, self._free),
            self._end_frames(stop),
        )

    async def on_connected(self) -> None:
        """Publish the plan again: called after each connection to the cluster's broker, which may have lost it."""
        self._members.await_all(time.monotonic())
        await self._bus.publish(topics.PLAN, self._plan)
        self.publish_nodes_soon()

    def publish_nodes_soon(self) -> None:
        """Publish the list of nodes soon."""
        self._nodes_publisher.publish_soon()

    def problems(self) -> tuple[str, ...]:
        """Return the problems of edges, a line for each."""
        return self._barring.problems()

    def info(self) -> BridgeInfo:
        """Return what this gateway runs."""
        stage, spec = self._partitioned.stages[-1], self._partitioned.spec
        return BridgeInfo(
            version=installed_version(),
            protocol=PROTOCOL,
            topic_prefix=self._bus.prefix,
            model=spec.name,
            labels=spec.labels,
            plan=PlanInfo(
                epoch=self._plan.epoch, method=str(self._config.method), grid=str(stage.grid), cut=stage.cut,
                tiles=self._plan.tile_count,
            ),
        )  # fmt: skip

    async def _end_frames(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; then publish what is complete, and tell owners that the rest will not be."""
        await stop.wait()
        for assembly in self._collector.assemblies():
            if not assembly.merged.complete:
                self._done(assembly, Outcome.STOPPED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_FRAMES_S):
                await self._finisher.finished()
        for assembly in self._collector.assemblies():
            self._decide(assembly, Outcome.STOPPED)

    # the plan

    def _adopt(self, partitioned: PartitionedModel, nodes: Sequence[str] = ()) -> None:
        """Follow another plan from now on; frames of the one before must be finished."""
        config = self._config
        self._partitioned = partitioned
        self._collector = Collector(
            partitioned.stage, partitioned.map_shapes, config.frames_at_once, config.terms.deadline_s
        )
        self._plan = write_plan(
            config.method,
            partitioned.model.network,
            partitioned.spec.preprocessing,
            partitioned.stages,
            self._data.offer(partitioned.programs),
            epoch=time.time_ns() // 1_000_000,
            gateway=advertised_address(self._data.address, self._members.broker),
            terms=config.terms,
        )
        self._sharer.adopt(self._plan, nodes)

    async def _replan(self) -> None:
        """Follow the devices that are there, where the plan is made for each of them."""
        async for partitioned, nodes in self._replanning.run():
            for assembly in self._collector.assemblies():
                if not assembly.merged.complete:
                    self._done(assembly, Outcome.REPLANNED)
            self._adopt(partitioned, nodes)
            await self._finisher.finished()  # what owners still have when they hear of the new plan, they give up
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
            self._barring.tell_standing(name)
        if node.state is State.OFFLINE:
            self._coordinator.node_lost(name)
            self._sharer.on_node_lost(name)
            self._drop(self._collector.orphaned(name))
            self._endings.on_node_lost(name)
        self._nodes_publisher.publish_soon()

    def _on_node_stats(self, _: str, stats: NodeStats) -> None:
        self._members.on_stats(stats)
        if self._members.online(stats.node) is not None:
            self._barring.passed(stats.node, stats.passed)
        self._nodes_publisher.publish_soon()

    def _on_tasks(self, _: str, announcement: TaskAnnouncement) -> None:
        self._answer(announcement)
        if announcement.epoch != self._plan.epoch or self._members.online(announcement.node) is None:
            if announcement.opened is not None and announcement.epoch != self._plan.epoch:
                self._endings.answer(announcement.opened.frame, announcement.node, Outcome.REPLANNED)
            return
        if announcement.opened is not None:
            self._open(announcement.opened, announcement.node)
        new = announcement
        self._grant(self._coordinator.announce(new.node, new.waiting, new.overdue, new.near, new.unfit))

    def _on_steal(self, _: str, request: StealRequest) -> None:
        known = request.epoch == self._plan.epoch and self._members.online(request.node) is not None
        if known and not self._members.drained(request.node) and self._barring.may_compute(request.node):
            self._grant(self._coordinator.request(request.node, request.missed, idle=request.idle))

    def _grant(self, matches: list[Match]) -> None:
        for match in matches:
            victim = self._members.online(match.victim)
            if victim is not None:
                grant = Grant(epoch=self._plan.epoch, victim=match.victim, host=victim.host, port=victim.port)
                self._bus.publish_soon(topics.GRANTS, grant, match.thief)

    def _nodes(self) -> Nodes:
        received = {f"tcp_{kind}": count for kind, count in self._data.traffic.items()}
        by_mqtt = {"mqtt": self._bus.sent_bytes, "mqtt_received": self._bus.received_bytes}
        return self._barring.reported(self._members.report({**received, **by_mqtt}))

    def _on_barred(self, node: str) -> None:
        """A node may not compute any more: what it has goes to others."""
        self._coordinator.withdraw(node)
        self._sharer.on_barred(node)
        self._nodes_publisher.publish_soon()

    # frames

    def _answer(self, announcement: TaskAnnouncement) -> None:
        """Tell an owner what became of frames that it gives up: what it proposes, unless it was decided before.

        Complete ones are about to be published, and answered then.
        """
        under_way = {assembly.info.frame: assembly for assembly in self._collector.assemblies()}
        for frame, outcome in announcement.given_up.items():
            assembly = under_way.get(frame)
            if self._endings.decided(frame):
                self._endings.answer(frame, announcement.node, outcome)
            elif assembly is None:
                self._collector.close(frame)  # results that are still on their way must not open it
                self._endings.answer(frame, announcement.node, outcome)
            elif assembly.owner == announcement.node and not assembly.merged.complete:
                self._done(assembly, outcome)

    def _open(self, info: FrameInfo, owner: str) -> None:
        """Begin a frame; an owner that has missed its end is told."""
        if self._endings.decided(info.frame):
            self._endings.answer(info.frame, owner, Outcome.FAILED)
        elif self._collector.open(info, owner, time.monotonic()) is None:
            log.warning("%s dropped: %s frames are open already", info.frame, self._config.frames_at_once)
            self._collector.close(info.frame)
            self._endings.decide(info, owner, Outcome.OVERLOAD)

    def _on_result(self, result: ResultHeader, payload: Payload) -> None:
        known = self._members.online(result.worker) and self._members.online(result.owner)
        if result.epoch != self._plan.epoch or known is None:
            return
        if result.error or not self._barring.may_compute(result.worker):
            self._tile_failed(result, result.error or "this node may not compute")
            return
        receipt = self._collector.add_result(result, payload, time.monotonic())
        if receipt is Receipt.NOT_FINITE:
            self._tile_failed(result, "its result contains values that are not finite")
            return
        self._barring.worked(result.worker)
        if receipt is Receipt.FULL:
            self._open(result.info, result.owner)
            return
        self._replanning.speeds.add(result.worker, result.macs, result.compute_ms)
        if self._plan.distribution is Distribution.SHARING:
            self._sharer.on_result(result.info.frame, result.tile)
        else:
            self._bus.publish_soon(topics.RESULTS, self._tile_done(result), result.owner)
        if receipt is Receipt.COMPLETED:
            self._finisher.finish(self._collector.get(result.info.frame))

    def _tile_failed(self, result: ResultHeader, reason: str) -> None:
        """A tile is not computed: others do it at once, and its worker not again."""
        now, worker = time.monotonic(), result.worker
        if self._members.online(worker) is None or result.tile >= self._plan.tile_count:
            return
        log.debug("%s tile %s is not computed by %s: %s", result.info.frame, result.tile, worker, reason)
        self._barring.failed(worker, reason)
        self._nodes_publisher.publish_soon()
        if not self._collector.failed(result.info, result.owner, worker, result.tile, now):
            return
        if self._plan.distribution is Distribution.SHARING:
            self._sharer.on_failed(result.info.frame, result.tile, worker)
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
            await asyncio.sleep(CHECK_S)
            self._drop(self._collector.overdue(time.monotonic()))
            self._drop_hopeless()
            self._barring.watch()
            self._sharer.watch()
            for node in self._members.lost(time.monotonic()):
                self._on_node_state(node.node, node)

    def _drop_hopeless(self) -> None:
        """Give frames up that nobody is left for."""
        able = self._barring.able(self._plan.epoch)
        if able is not None:
            self._drop(self._collector.hopeless(able, together=len(self._plan.stages) > 1))

    def _drop(self, frames: list[tuple[Assembly, Outcome]]) -> None:
        for assembly, outcome in frames:
            missing = ", ".join(str(tile) for tile in sorted(assembly.merged.missing))
            level = logging.DEBUG if outcome is Outcome.FAILED else logging.WARNING  # why they fail is told already
            log.log(level, "%s dropped (%s): tiles %s are missing", assembly.info.frame, outcome, missing)
            self._done(assembly, outcome)

    def _done(self, assembly: Assembly, outcome: Outcome) -> None:
        self._decide(assembly, outcome)
        self._free(assembly)

    def _decide(self, assembly: Assembly, outcome: Outcome) -> bool:
        return self._endings.decide(assembly.info, assembly.owner, outcome)

    def _free(self, assembly: Assembly) -> None:
        self._collector.close(assembly.info.frame)
        self._sharer.drop(assembly.info.frame)

    def _strips_of(self, request: StripsRequestHeader) -> dict[int, list[Array]]:
        """Return the kept strips that a node asks for; none for a request of another plan."""
        if request.epoch != self._plan.epoch:
            return {}
        return self._collector.kept_strips(request.frame, request.givers, request.reader)

    def _on_shared_tile(self, header: TileHeader, payload: Payload) -> None:
        """Share out a tile."""
        known = header.epoch == self._plan.epoch and header.tile < self._plan.tile_count
        if known and not self._collector.finished(header.info.frame) and self._members.online(header.owner):
            self._sharer.on_tile(header, payload)
