"""A gateway as a process: its parts, what it hears on the bus, whom it serves on the data plane, its life."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.broker import own_broker, own_broker_address
from gateway.catalogue import open_model
from gateway.collector import Assembly, Collector, Receipt
from gateway.coordinator import Coordinator, Match
from gateway.finisher import Finisher
from gateway.membership import Membership
from gateway.partitioned import PartitionedModel
from gateway.planner import write_plan
from gateway.replanning import Replanning
from gateway.results import split_result
from gateway.sharer import Sharer
from gateway.victims import POLICIES
from shared import topics
from shared.addresses import Address, advertised
from shared.bus import Bus, Outgoing
from shared.engine.memory import give_back
from shared.errors import BrokerError, ProtocolError
from shared.frames import FrameInfo, Outcome
from shared.messages import (
    BridgeState,
    FrameDone,
    Grant,
    Nodes,
    NodeState,
    NodeStats,
    State,
    StealRequest,
    TaskAnnouncement,
    TileDone,
)  # fmt: skip
from shared.plan import Distribution, ProgramRef
from shared.service import release, run_together
from shared.strip_cache import StripCache
from shared.wire.codec import PROTOCOL
from shared.wire.connection import Connection, Payload, Traffic
from shared.wire.headers import Absent, Header, Program, ProgramRequest, Result, Strips, StripsRequest, Tile
from shared.wire.server import DataServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.config import GatewayConfig

log = logging.getLogger(__name__)

CHECK_S = 0.1
"""How often deadlines are looked at; they are seconds away."""

NODES_S = 1.0
"""How often the list of nodes is published at most."""


class Gateway:
    """Plans, coordinates, collects and publishes for one cluster."""

    def __init__(self, config: GatewayConfig) -> None:
        """Load the model and listen. Raises ModelError, CutError, ConfigurationError, ListenError."""
        self._config = config
        model = open_model(config.model, config.weights)
        self._partitioned = PartitionedModel.of(model, config.grid_for(1), config.cut, config.method)
        self._broker = config.broker or own_broker_address(Address(config.host, config.port))
        self._traffic = Traffic()
        self._members = Membership(self._broker)
        self._coordinator = Coordinator(POLICIES[config.policy])
        self._sharer = Sharer(self._members, self._traffic, config.frames_at_once)
        self._strips: StripCache[tuple[int, int]] = StripCache()
        self._replanning = Replanning(config, model, self._members)
        self._server = DataServer(self._serve, Address(config.host, config.data_port), self._traffic)
        self._adopt(self._partitioned)
        self._bus = Bus(
            self._broker,
            "deepthings-gateway",
            will=Outgoing(topics.BRIDGE_STATE, self._state(State.OFFLINE)),
            birth=self._birth,
        )
        self._finisher = Finisher(config, self._partitioned, self._bus, self._traffic, self._members.address)
        if not self._replanning.needed:
            model.forget_weights()
            give_back()
        self._nodes_changed = asyncio.Event()
        self._bus.on(topics.NODE_STATE, self._on_node_state)
        self._bus.on(topics.NODE_STATS, self._on_node_stats)
        self._bus.on(topics.TASKS, self._on_tasks)
        self._bus.on(topics.STEAL, self._on_steal)

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop`. Raises DeepThingsError where going on makes no sense."""
        async with contextlib.AsyncExitStack() as stack:
            broker = None
            if self._config.broker is None:
                broker = await stack.enter_async_context(own_broker(Address(self._config.host, self._config.port)))
            stage = self._partitioned.stage
            log.info(
                "gateway: %s cut behind %s, %s layers in %s tiles; broker %s, data plane %s",
                self._partitioned.spec.name, ",".join(stage.cut), len(stage.layers), stage.grid, self._broker,
                self._server.address,
            )  # fmt: skip
            await run_together(
                self._server.run(),
                self._sharer.run(),
                self._replan(),
                self._watch_deadlines(),
                self._report_nodes(),
                self._finisher.run(self._done),
                self._watch_broker(broker),
                self._say_goodbye(stop),
                self._bus.run(),
            )

    async def _say_goodbye(self, stop: asyncio.Event) -> None:
        """While everything still runs: owners hear that their frames will not be finished."""
        await stop.wait()
        for assembly in self._collector.assemblies():
            done = FrameDone(frame=assembly.info.frame, outcome=Outcome.STOPPED)
            with contextlib.suppress(BrokerError):
                await self._bus.publish(topics.OUTCOMES, done, assembly.owner)

    @staticmethod
    async def _watch_broker(broker: asyncio.subprocess.Process | None) -> None:
        """Raise BrokerError when our own broker ends; one that is not ours has its own keeper."""
        if broker is None:
            await asyncio.Event().wait()
            return
        code = await broker.wait()
        raise BrokerError(f"the gateway's Mosquitto ended unexpectedly (exit code {code})")

    # the plan

    def _adopt(self, partitioned: PartitionedModel, nodes: Sequence[str] = ()) -> None:
        """Follow another plan from now on; frames of the one before must be finished."""
        config = self._config
        self._partitioned = partitioned
        self._collector = Collector(
            partitioned.stage, partitioned.map_shapes, config.frames_at_once, config.terms.deadline_s
        )
        self._programs = {hashlib.sha256(program).hexdigest(): program for program in partitioned.programs}
        programs = [ProgramRef(sha256=sha256, bytes=len(program)) for sha256, program in self._programs.items()]
        self._plan = write_plan(
            config.method,
            partitioned.model.network,
            partitioned.spec.preprocessing,
            partitioned.stages,
            programs,
            epoch=time.time_ns() // 1_000_000,
            gateway=advertised(self._server.address, self._broker),
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
            with contextlib.suppress(BrokerError):
                await self._bus.publish(topics.PLAN, self._plan)

    # the bus

    async def _birth(self) -> None:
        await self._bus.publish(topics.BRIDGE_STATE, self._state(State.ONLINE))
        await self._bus.publish(topics.PLAN, self._plan)
        self._nodes_changed.set()

    @staticmethod
    def _state(state: State) -> BridgeState:
        return BridgeState(state=state, protocol=PROTOCOL, version=release())

    def _on_node_state(self, name: str, node: NodeState) -> None:
        if node.node != name:
            return
        refusal = self._members.refusal(node)
        if refusal:
            log.warning("edge %s is refused: %s", name, refusal)
        else:
            log.info("edge %s is %s", name, node.state)
        self._members.on_state(node)
        if node.state is State.OFFLINE:
            self._coordinator.node_lost(name)
            self._sharer.on_node_lost(name)
            self._drop(self._collector.orphaned(name))
        self._nodes_changed.set()

    def _on_node_stats(self, _: str, stats: NodeStats) -> None:
        self._members.on_stats(stats)
        self._nodes_changed.set()

    def _on_tasks(self, _: str, announcement: TaskAnnouncement) -> None:
        if announcement.epoch != self._plan.epoch or self._members.online(announcement.node) is None:
            return
        if announcement.opened is not None:
            self._open(announcement.opened, announcement.node)
        told = announcement
        self._grant(self._coordinator.announce(told.node, told.waiting, told.blocked, told.near))

    def _on_steal(self, _: str, request: StealRequest) -> None:
        if request.epoch == self._plan.epoch and self._members.online(request.node) is not None:
            self._grant(self._coordinator.request(request.node, request.missed, idle=request.idle))

    def _grant(self, matches: list[Match]) -> None:
        for match in matches:
            victim = self._members.online(match.victim)
            if victim is not None:
                grant = Grant(epoch=self._plan.epoch, victim=match.victim, host=victim.host, port=victim.port)
                self._bus.post(topics.GRANTS, grant, match.thief)

    async def _report_nodes(self) -> None:
        """Publish the list of nodes when it changes, at most every NODES_S."""
        told: Nodes | None = None
        while True:
            await self._nodes_changed.wait()
            self._nodes_changed.clear()
            received = {f"tcp_{kind}": count for kind, count in self._traffic.items()}
            report = self._members.report(
                {**received, "mqtt": self._bus.sent_bytes, "mqtt_received": self._bus.received_bytes}
            )
            if report != told and self._bus.connected.is_set():
                told = report
                with contextlib.suppress(BrokerError):
                    await self._bus.publish(topics.BRIDGE_NODES, report)
            await asyncio.sleep(NODES_S)

    # frames

    def _open(self, info: FrameInfo, owner: str) -> None:
        assembly = self._collector.open(info, owner, time.monotonic())
        if assembly is None and not self._collector.finished(info.frame):
            log.warning("%s dropped: %s frames are open already", info.frame, self._config.frames_at_once)
            self._collector.close(info.frame)
            self._tell_outcome(info.frame, owner, Outcome.OVERLOAD)

    def _on_result(self, result: Result, payload: Payload) -> None:
        known = self._members.online(result.worker) and self._members.online(result.owner)
        if result.epoch != self._plan.epoch or known is None:
            return
        arrays = split_result(result, payload, self._collector.result_shapes(result.tile))
        receipt = self._collector.place(result.info, result.owner, result.worker, result.tile, arrays, time.monotonic())
        if receipt is Receipt.FULL:
            self._open(result.info, result.owner)
            return
        self._replanning.speeds.add(result.worker, result.macs, result.compute_ms)
        if self._plan.distribution is Distribution.SHARING:
            self._sharer.on_result(result.info.frame, result.tile)
        else:
            self._bus.post(topics.RESULTS, self._tile_done(result), result.owner)
        if receipt is Receipt.COMPLETED:
            self._finisher.finish(self._collector.get(result.info.frame))

    def _tile_done(self, result: Result) -> TileDone:
        frame = result.info.frame
        return TileDone(
            frame=frame,
            tile=result.tile,
            worker=result.worker,
            compute_ms=result.compute_ms,
            macs=result.macs,
            fetch_bytes_per_s=result.fetch_bytes_per_s,
            strips=tuple(reader for giver, reader in self._strips.keys(frame) if giver == result.tile),
        )

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            self._drop(self._collector.overdue(time.monotonic()))
            self._sharer.watch()

    def _drop(self, frames: list[tuple[Assembly, Outcome]]) -> None:
        for assembly, outcome in frames:
            missing = ", ".join(str(tile) for tile in sorted(assembly.merged.missing))
            log.warning("%s dropped (%s): tiles %s are missing", assembly.info.frame, outcome, missing)
            self._done(assembly, outcome)

    def _done(self, assembly: Assembly, outcome: Outcome) -> None:
        self._collector.close(assembly.info.frame)
        self._sharer.drop(assembly.info.frame)
        self._strips.drop(assembly.info.frame)
        self._tell_outcome(assembly.info.frame, assembly.owner, outcome)

    def _tell_outcome(self, frame: str, owner: str, outcome: Outcome) -> None:
        self._bus.post(topics.OUTCOMES, FrameDone(frame=frame, outcome=outcome), owner)

    # the data plane

    async def _serve(self, connection: Connection, header: Header, payload: Payload) -> None:
        while True:
            if isinstance(header, Result):
                self._on_result(header, payload)
            elif isinstance(header, Strips):
                self._keep_strips(header, payload)
            elif isinstance(header, StripsRequest):
                await self._send_strips(connection, header)
            elif isinstance(header, Tile):
                self._collect(header, payload)
            elif isinstance(header, ProgramRequest):
                await self._send_program(connection, header)
            else:
                raise ProtocolError(f"{header.kind.name} is not for a gateway")
            header, payload = await connection.receive()

    async def _send_program(self, connection: Connection, request: ProgramRequest) -> None:
        program = self._programs.get(request.sha256)
        if program is not None:
            await connection.send(Program(sha256=request.sha256), [memoryview(program)])
        else:
            await connection.send(Absent(reason="the plan has no such program"))

    def _collect(self, header: Tile, payload: Payload) -> None:
        """A tile that is to be shared out."""
        known = header.epoch == self._plan.epoch and header.tile < self._plan.tile_count
        if known and not self._collector.finished(header.info.frame) and self._members.online(header.owner):
            self._sharer.on_tile(header, payload)

    def _keep_strips(self, header: Strips, payload: Payload) -> None:
        if header.epoch == self._plan.epoch and not self._collector.finished(header.frame):
            self._strips.put(header.frame, (header.giver, header.reader), [payload])

    async def _send_strips(self, connection: Connection, request: StripsRequest) -> None:
        kept = self._strips.get(request.frame, (request.giver, request.reader))
        if kept is None or request.epoch != self._plan.epoch:
            await connection.send(Absent(reason="those strips are not here"))
            return
        header = Strips(frame=request.frame, epoch=request.epoch, giver=request.giver, reader=request.reader)
        await connection.send(header, [array.data for array in kept])
