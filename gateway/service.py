"""A gateway as a process: its parts, what it hears on the bus, whom it serves on the data plane, its life."""

from __future__ import annotations

import asyncio
import contextlib
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
from gateway.results import split_result
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
    PlanMessage,
    ProgramRef,
    State,
    StealRequest,
    TaskAnnouncement,
    TileDone,
)  # fmt: skip
from shared.service import release, run_together
from shared.wire.codec import PROTOCOL
from shared.wire.connection import Connection, Payload, Traffic
from shared.wire.headers import Absent, Header, Program, ProgramRequest, Result
from shared.wire.server import DataServer

if TYPE_CHECKING:
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
        self._partitioned = PartitionedModel.of(open_model(config.model, config.weights), config.grid, config.cut)
        self._broker = config.broker or own_broker_address(Address(config.host, config.port))
        self._traffic = Traffic()
        self._members = Membership(self._broker)
        self._coordinator = Coordinator()
        self._collector = Collector(
            self._partitioned.stage,
            self._partitioned.map_shapes,
            config.frames_at_once,
            config.terms.deadline_s,
        )
        self._server = DataServer(self._serve, Address(config.host, config.data_port), self._traffic)
        self._plan = self._write_plan()
        self._bus = Bus(
            self._broker,
            "deepthings-gateway",
            will=Outgoing(topics.BRIDGE_STATE, self._state(State.OFFLINE)),
            birth=self._birth,
        )
        self._finisher = Finisher(config, self._partitioned, self._bus, self._traffic, self._members.address)
        self._partitioned.model.forget_weights()
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

    def _write_plan(self) -> PlanMessage:
        program = self._partitioned.program
        return write_plan(
            self._partitioned.model.network,
            self._partitioned.spec.preprocessing,
            self._partitioned.stage,
            ProgramRef(sha256=self._partitioned.program_sha256, bytes=len(program)),
            epoch=time.time_ns() // 1_000_000,
            gateway=advertised(self._server.address, self._broker),
            terms=self._config.terms,
        )

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
        self._grant(self._coordinator.announce(announcement.node, announcement.waiting))

    def _on_steal(self, _: str, request: StealRequest) -> None:
        if request.epoch == self._plan.epoch and self._members.online(request.node) is not None:
            self._grant(self._coordinator.request(request.node, request.missed))

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
            report = self._members.report({**received, "mqtt": self._bus.sent_bytes})
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
        done = TileDone(frame=result.info.frame, tile=result.tile, worker=result.worker, compute_ms=result.compute_ms)
        self._bus.post(topics.RESULTS, done, result.owner)
        if receipt is Receipt.COMPLETED:
            self._finisher.finish(self._collector.get(result.info.frame))

    async def _watch_deadlines(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            self._drop(self._collector.overdue(time.monotonic()))

    def _drop(self, frames: list[tuple[Assembly, Outcome]]) -> None:
        for assembly, outcome in frames:
            missing = ", ".join(str(tile) for tile in sorted(assembly.merged.missing))
            log.warning("%s dropped (%s): tiles %s are missing", assembly.info.frame, outcome, missing)
            self._done(assembly, outcome)

    def _done(self, assembly: Assembly, outcome: Outcome) -> None:
        self._collector.close(assembly.info.frame)
        self._tell_outcome(assembly.info.frame, assembly.owner, outcome)

    def _tell_outcome(self, frame: str, owner: str, outcome: Outcome) -> None:
        self._bus.post(topics.OUTCOMES, FrameDone(frame=frame, outcome=outcome), owner)

    # the data plane

    async def _serve(self, connection: Connection, header: Header, payload: Payload) -> None:
        while True:
            if isinstance(header, Result):
                self._on_result(header, payload)
            elif isinstance(header, ProgramRequest):
                await self._send_program(connection, header)
            else:
                raise ProtocolError(f"{header.kind.name} is not for a gateway")
            header, payload = await connection.receive()

    async def _send_program(self, connection: Connection, request: ProgramRequest) -> None:
        if request.sha256 == self._partitioned.program_sha256:
            await connection.send(Program(sha256=request.sha256), [memoryview(self._partitioned.program)])
        else:
            await connection.send(Absent(reason="the plan has no such program"))
