"""A running cluster: its plan, its edges, their announcements, grants and results, and the outcomes of frames."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.cluster.collector import Assembly, Receipt
from gateway.cluster.confirmations import Confirmations
from gateway.cluster.expected_payloads import ExpectedPayloads
from gateway.cluster.finisher import Finisher
from gateway.cluster.frame_endings import FrameEndings
from gateway.cluster.frame_rates import add_frame_rates
from gateway.cluster.link_rates import LinkRates
from gateway.cluster.nodes_publisher import NodesPublisher
from gateway.cluster.plan_changes import PlanChanges
from gateway.cluster.running_plans import RunningPlan, RunningPlans
from gateway.cluster.sharing_service import SharingService
from gateway.cluster.speeds import NodeSpeeds
from gateway.cluster.stealing_service import StealingService
from gateway.cluster.trust.barring import Barring
from gateway.cluster.trust.holders import TileHolders
from shared.ftp.macs import macs_of
from shared.mqtt import topics
from shared.payloads.bridge import BridgeEventType, BridgeInfo
from shared.payloads.cluster import (
    MAX_REASON_LENGTH,
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
        partitions: Sequence[PartitionedModel],
        data: DataPlane,
        bus: Planes,
        members: Membership,
        listener: ClusterListener,
    ) -> None:
        """Start with these plans, the preferred one first. Raises ConfigurationError when edges would refuse one."""
        self._options = options
        self._data = data
        self._bus = bus
        self._members = members
        self._listener = listener
        self._speeds = NodeSpeeds()
        self._frame_macs = macs_of(model.network, model.network.layers)
        self.links = LinkRates()
        self._barring = Barring(
            members, self._on_barred,
            publish=lambda standing: bus.publish_soon(topics.STANDINGS, standing, standing.node),
            publish_event=listener.on_cluster_event,
        )  # fmt: skip
        self._confirmations = Confirmations(bus)
        self._holders = TileHolders(listener.serves)
        self._sharing = SharingService(
            members, data.traffic, options.frames_at_once, self._confirmations.assign_tile, self._barring.may_compute,
            self._holders.grant, lambda nodes: self._speeds.device_speeds(nodes, members.lanes),
        )  # fmt: skip
        self._plans = RunningPlans(options, data, bus, members)
        self._stealing = StealingService(
            options.policy, self._plans, bus, members, self._speeds, self.links, self._barring.may_compute,
            self._holders.grant,
        )  # fmt: skip
        self._plan_changes = PlanChanges(
            options, model, partitions, self._plans, (self._sharing, self._stealing), members, self._speeds,
            self.links, listener, self._barring.takes_tiles,
        )  # fmt: skip
        self._endings = FrameEndings(bus, self._confirmations, listener.on_frame_ended)
        self._finisher = Finisher(
            options, bus, data.traffic, data.find_program, members.address, listener.on_detections,
            self._endings.has_ended, self._confirmations.wait_sent, self._barring.is_suspected,
            self._barring.on_wrong_tiles, listener.on_frame_time, listener.on_frame_computed,
        )  # fmt: skip
        self._nodes_publisher = NodesPublisher(bus, self._nodes, listener.on_nodes)
        data.serve_cluster(
            on_result=self._on_result, on_tile=self._on_shared_tile, on_link=self._confirmations.serve,
            strips_of=self._strips_of, bound_of=ExpectedPayloads(self._plans, members, self._holders).bound_of,
        )  # fmt: skip
        bus.on(topics.NODE_STATE, self._on_node_state)
        bus.on(topics.NODE_STATS, self._on_node_stats)
        bus.on(topics.TASKS, self._on_tasks)
        bus.on(topics.STEAL, self._on_steal)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`, and then until all frames have an outcome."""
        await run_together(
            self._sharing.run(),
            self._plan_changes.run(),
            self._watch_deadlines(),
            self._nodes_publisher.run(),
            self._finisher.run(self._decide, self._free_frame),
            self._stop_frames(stop),
        )

    async def on_connected(self) -> None:
        """Publish the plan again after each (re)connect to the cluster's broker, which may have lost it."""
        self._members.expect_all_nodes(time.monotonic())
        await self._plans.publish()
        await self._stealing.republish_helpers()
        self.publish_nodes_soon()

    def publish_nodes_soon(self) -> None:
        """Publish the list of nodes soon."""
        self._nodes_publisher.publish_soon()

    def problems(self) -> tuple[str, ...]:
        """Return the problems of edges, a line for each."""
        return (*self._barring.problems(), *self._finisher.problems())

    def info(self) -> BridgeInfo:
        """Return the gateway's version, model and plan."""
        running = self._plans.preferred
        spec = running.partitioned.spec
        return BridgeInfo(
            version=installed_version(),
            protocol=PROTOCOL,
            topic_prefix=self._bus.prefix,
            model=spec.name,
            labels=spec.labels,
            plan=running.info,
            predicted=self._plan_changes.predicted,
            planned_devices=self._plan_changes.planned_devices,
        )  # fmt: skip

    async def _stop_frames(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; then publish the complete frames, and drop the others, also telling their owners."""
        await stop.wait()
        for _, assembly in self._plans.assemblies():
            if not assembly.merged.complete:
                self._end_frame(assembly, Outcome.STOPPED)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_FRAMES_TIMEOUT_S):
                await self._finisher.wait_finished()
        for _, assembly in self._plans.assemblies():
            self._decide(assembly, Outcome.STOPPED)

    # edges

    def _on_node_state(self, name: str, node: NodeState) -> None:
        if node.node != name:
            return
        refusal = self._members.refusal(node)
        level = logging.WARNING if refusal else logging.INFO
        log.log(level, "edge %s is %s", name, f"refused: {refusal}" if refusal else node.state)
        before = self._members.online(name) is not None
        self._members.on_state(node)
        after = self._members.online(name) is not None
        if before != after:
            event = BridgeEventType.NODE_LOST if before else BridgeEventType.NODE_JOINED
            self._listener.on_cluster_event(event, name)
        if after:
            self._barring.publish_standing(name)
        # A node that is not accepted any more counts as lost: a device of another release may have taken its name.
        if node.state is State.OFFLINE or (before and not after):
            self._speeds.forget_node(name)
            self._stealing.forget_node(name)
            self._sharing.on_node_lost(name)
            self._drop_frames(self._plans.orphaned(name))
            self._endings.on_node_lost(name)
        self._nodes_publisher.publish_soon()

    def lose_node(self, name: str) -> None:
        """Set an edge offline that may not take part any more, and publish that for the other edges."""
        state = self._members.online(name)
        if state is not None:
            gone = state.model_copy(update={"state": State.OFFLINE})
            self._on_node_state(name, gone)
            self._bus.publish_soon(topics.NODE_STATE, gone, name)

    # The broker lets an edge write only topics with its own name. So a message must carry the name in its topic.
    def _on_node_stats(self, name: str, stats: NodeStats) -> None:
        if stats.node != name:
            return
        self._members.on_stats(stats)
        if self._members.online(stats.node) is not None:
            self._barring.on_test_passed(stats.node, stats.passed)
            self._speeds.add_trial(stats.node, stats.macs_per_s)
        self._nodes_publisher.publish_soon()

    def _on_steal(self, name: str, request: StealRequest) -> None:
        if request.node == name:
            self._stealing.on_request(request)

    def _on_tasks(self, name: str, announcement: TaskAnnouncement) -> None:
        if announcement.node != name:
            return
        self._publish_given_up_outcomes(announcement)
        running = self._plans.get(announcement.epoch)
        if running is None or self._members.online(announcement.node) is None:
            if announcement.opened is not None and running is None:
                self._endings.publish_outcome(announcement.opened.frame, announcement.node, Outcome.REPLANNED)
            return
        if announcement.opened is not None and self._holders.may_open(announcement.opened, announcement.node):
            self._open_frame(running, announcement.opened, announcement.node)
        self._stealing.on_announcement(announcement)

    def _nodes(self) -> Nodes:
        received = {f"tcp_{kind}": count for kind, count in self._data.traffic.items()}
        by_mqtt = {"mqtt": self._bus.sent_bytes, "mqtt_received": self._bus.received_bytes}
        members, speeds = self._members.report({**received, **by_mqtt}), self._speeds
        report = add_frame_rates(members, self._frame_macs, speeds.speed_of, speeds.trial_of)
        return self._barring.add_standings(report)

    def _on_barred(self, node: str) -> None:
        """Reassign the tasks of a node that was barred."""
        self._stealing.withdraw_request(node)
        self._sharing.on_barred(node)
        self._nodes_publisher.publish_soon()

    # frames

    def _publish_given_up_outcomes(self, announcement: TaskAnnouncement) -> None:
        """Publish the outcomes of frames that an owner gives up: the decided outcomes, else those that it proposes.

        Frames that are complete are left out: they are about to be published, and so is their outcome.
        """
        for frame, outcome in announcement.given_up.items():
            found = self._plans.find_frame(frame)
            if self._endings.has_ended(frame):
                self._endings.publish_outcome(frame, announcement.node, outcome)
            elif found is None:
                self._plans.close_frame(frame)  # late results must not open it again
                self._endings.publish_outcome(frame, announcement.node, outcome)
            elif found[1].owner == announcement.node and not found[1].merged.complete:
                self._end_frame(found[1], outcome)
        if announcement.given_up:
            self._finisher.release_frames()

    def _open_frame(self, running: RunningPlan, info: FrameInfo, owner: str) -> None:
        """Open a frame. If it already has an outcome, publish that again, because its owner has missed it."""
        if self._endings.has_ended(info.frame):
            self._endings.publish_outcome(info.frame, owner, Outcome.FAILED)
        elif running.collector.open_frame(info, owner, time.monotonic()) is None:
            log.warning("%s dropped: %s other frames are under way", info.frame, self._options.frames_at_once)
            running.collector.close_frame(info.frame)
            self._endings.decide_outcome(info, owner, Outcome.OVERLOAD)
            self._finisher.release_frames()

    def _on_result(self, result: ResultHeader, payload: Payload) -> None:
        running = self._plans.get(result.epoch)
        known = self._members.online(result.worker) and self._members.online(result.owner)
        if running is None or known is None or not self._holders.may_send(result, running.collector):
            return
        if result.error or not self._barring.may_compute(result.worker):
            self._tile_failed(running, result, result.error or "this node is barred")
            return
        with tracer.measure(Part.MERGE, result.info.frame, result.tile):
            receipt = running.collector.add_result(result, payload, time.monotonic())
        if receipt is Receipt.NOT_FINITE:
            self._tile_failed(running, result, "its result contains values that are not finite")
            return
        self._barring.on_tile_computed(result.worker)
        if receipt is Receipt.FULL:
            self._open_frame(running, result.info, result.owner)
            return
        now = time.monotonic()
        macs = self._plan_changes.usual_macs(running, result)
        self._speeds.add_result(result.worker, macs, result.compute_ms, now)
        self.links.add_transfer(result.owner, result.worker, result.fetch_bytes_per_s, now)
        # Finishing begins first, so that the confirmations of the last tile and of its frame are sent together.
        if receipt is Receipt.COMPLETED:
            self._finisher.finish_soon(running, running.collector.get_assembly(result.info.frame))
        if running.plan.distribution.by_gateway:
            self._sharing.on_result(result.epoch, result.info.frame, result.tile)
        else:
            self._confirmations.confirm_tile(result.owner, _tile_done(running, result))

    def _tile_failed(self, running: RunningPlan, result: ResultHeader, reason: str) -> None:
        """Let other nodes compute a tile that its worker could not compute."""
        now, worker = time.monotonic(), result.worker
        if self._members.online(worker) is None or result.tile >= running.plan.tile_count:
            return
        log.debug("%s tile %s is not computed by %s: %s", result.info.frame, result.tile, worker, reason)
        self._barring.on_tile_failed(worker, reason)
        self._nodes_publisher.publish_soon()
        if not running.collector.on_tile_failed(result.info, result.owner, worker, result.tile, now):
            return
        if running.plan.distribution.by_gateway:
            self._sharing.on_tile_failed(result.epoch, result.info.frame, result.tile, worker)
        else:
            failed = TileDone(
                frame=result.info.frame,
                tile=result.tile,
                worker=worker,
                compute_ms=0.0,
                error=reason[:MAX_REASON_LENGTH],
            )
            self._confirmations.confirm_tile(result.owner, failed)
        self._drop_hopeless()

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(DEADLINE_CHECK_PERIOD_S)
            self._drop_frames(self._plans.overdue(time.monotonic()))
            self._drop_hopeless()
            self._barring.lift_bars()
            self._sharing.reassign_expired()
            self._plan_changes.check()
            self._stealing.publish_helpers()
            for node in self._members.lost_nodes(time.monotonic()):
                self._on_node_state(node.node, node)

    def _drop_hopeless(self) -> None:
        """Give up frames with a tile that no remaining node can compute."""
        for running in self._plans:
            able = self._barring.able_nodes(running.epoch)
            if able is not None:
                self._drop_frames(running.collector.hopeless(able, together=len(running.plan.stages) > 1))

    def _drop_frames(self, frames: list[tuple[Assembly, Outcome]]) -> None:
        for assembly, outcome in frames:
            missing = ", ".join(str(tile) for tile in sorted(assembly.merged.missing))
            level = logging.DEBUG if outcome is Outcome.FAILED else logging.WARNING  # the reason is logged already
            log.log(level, "%s dropped (%s): missing tiles: %s", assembly.info.frame, outcome, missing)
            self._end_frame(assembly, outcome)

    def _end_frame(self, assembly: Assembly, outcome: Outcome) -> None:
        self._decide(assembly, outcome)
        self._free_frame(assembly)
        self._finisher.release_frames()

    def _decide(self, assembly: Assembly, outcome: Outcome) -> bool:
        found = self._plans.find_frame(assembly.info.frame)
        if found is not None and outcome is Outcome.PUBLISHED:
            self._plan_changes.add_frame(found[0], assembly.duration_s(time.monotonic()))
            self._stealing.on_published(assembly)
        return self._endings.decide_outcome(assembly.info, assembly.owner, outcome)

    def _free_frame(self, assembly: Assembly) -> None:
        self._plans.close_frame(assembly.info.frame)
        self._sharing.drop_frame(assembly.info.frame)

    def _strips_of(self, request: StripsRequestHeader) -> dict[int, list[Array]]:
        """Return the kept strips that a node requests, by giver; none if its plan is unknown."""
        running = self._plans.get(request.epoch)
        return {} if running is None else running.collector.kept_strips(request.frame, request.givers, request.reader)

    def _on_shared_tile(self, header: TileHeader, payload: Payload) -> None:
        """Share out a tile, unless its frame is finished or its plan unknown."""
        running = self._plans.get(header.epoch)
        if running is None or not running.plan.distribution.by_gateway:
            return
        known = header.tile < running.plan.tile_count and self._holders.may_open(header.info, header.owner)
        if known and self._members.online(header.owner) and not running.collector.is_finished(header.info.frame):
            self._sharing.on_tile(header, payload)


def _tile_done(running: RunningPlan, result: ResultHeader) -> TileDone:
    """Return the message for the owner of a tile that has arrived."""
    frame = result.info.frame
    return TileDone(
        frame=frame,
        tile=result.tile,
        worker=result.worker,
        compute_ms=result.compute_ms,
        macs=result.macs,
        fetch_bytes_per_s=result.fetch_bytes_per_s,
        strips=running.collector.kept_readers(frame, result.tile),
    )
