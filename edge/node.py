"""An edge as a process: its parts, what it hears on the bus, whom it serves on the data plane, its life."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import TYPE_CHECKING

from edge.camera_sessions import CameraSessions
from edge.owner import Owner
from edge.programs import ProgramCache
from edge.task_queue import Task
from edge.thief import Thief
from edge.work import Work, gateway_address
from edge.worker import ResultSender, Worker
from shared import topics
from shared.addresses import Address, address_towards, is_wildcard
from shared.backoff import Backoff
from shared.bus import Bus, Outgoing
from shared.engine.sessions import TileEngine
from shared.errors import BrokerError, DeepThingsError, PeerLostError, ProtocolError, VersionError
from shared.frames import Outcome
from shared.messages import BridgeState, NodeState, NodeStats, PlanMessage, State, TileCounts
from shared.service import release, run_until
from shared.wire.codec import PROTOCOL
from shared.wire.connection import Connection, Payload, Traffic
from shared.wire.headers import Absent, Camera, Header, Picture, PictureRequest, Take
from shared.wire.server import DataServer

if TYPE_CHECKING:
    from edge.config import EdgeConfig

log = logging.getLogger(__name__)

STATS_S = 1.0
"""How often an edge tells what it has done, while that changes."""


class EdgeNode:
    """Owner, thief and worker of one device."""

    def __init__(self, config: EdgeConfig) -> None:
        self._config = config
        self._traffic = Traffic()
        self._bus = Bus(
            config.broker,
            f"deepthings-edge-{config.name}",
            will=Outgoing(topics.NODE_STATE, self._state(State.OFFLINE), config.name),
            birth=self._birth,
        )
        results = ResultSender(self._traffic)
        self._results = results
        self._worker = Worker(config.name, results)
        self._owner = Owner(config.name, self._bus, self._worker.wake)
        self._thief = Thief(config.name, self._bus, self._traffic, self._worker.wake)
        self._cameras = CameraSessions(config.name, self._bus, self._owner, config.frames_in_flight)
        self._programs = ProgramCache(config.cache, self._traffic)
        self._plans: asyncio.Queue[PlanMessage] = asyncio.Queue()
        self._server = DataServer(self._serve, config.listen, self._traffic)
        self._listen_to_the_bus()

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop`. Raises DeepThingsError where going on makes no sense."""
        log.info("edge %s listens on %s", self._config.name, self._server.address)
        bus = asyncio.create_task(self._bus.run())
        parts = (
            self._until_done(bus),
            self._server.run(),
            self._follow_plans(),
            self._owner.run(),
            self._thief.run(),
            self._worker.run(self._owner, self._thief),
            self._results.run(),
            self._report_stats(),
            self._say_goodbye(stop),
        )
        try:
            await run_until(asyncio.Event(), *parts)
        finally:
            bus.cancel()
            await asyncio.gather(bus, return_exceptions=True)

    @staticmethod
    async def _until_done(bus: asyncio.Task[None]) -> None:
        await asyncio.shield(bus)

    async def _say_goodbye(self, stop: asyncio.Event) -> None:
        """While everything still runs: frames that will not be finished are reported, and the last figures."""
        await stop.wait()
        self._owner.give_up(Outcome.STOPPED)
        await self._cameras.close()
        with contextlib.suppress(BrokerError):
            await self._bus.publish(topics.NODE_STATS, self._stats(final=True), self._config.name)

    # the bus

    def _listen_to_the_bus(self) -> None:
        name = self._config.name
        self._bus.on(topics.BRIDGE_STATE, self._on_bridge_state)
        self._bus.on(topics.PLAN, lambda _, plan: self._plans.put_nowait(plan))
        self._bus.on(topics.GRANTS, lambda _, grant: self._thief.on_grant(grant), name)
        self._bus.on(topics.RESULTS, lambda _, done: self._owner.on_tile_done(done), name)
        self._bus.on(topics.OUTCOMES, lambda _, done: self._owner.on_frame_done(done), name)
        self._bus.on(topics.NODE_STATE, self._on_node_state)

    async def _birth(self) -> None:
        await self._bus.publish(topics.NODE_STATE, self._state(State.ONLINE), self._config.name)
        self._resume()

    def _resume(self) -> None:
        """The gateway may have forgotten what we told it."""
        self._owner.announce_again()
        self._thief.forget_request()
        self._worker.wake()

    def _on_bridge_state(self, _: str, bridge: BridgeState) -> None:
        if bridge.state is State.ONLINE and bridge.protocol != PROTOCOL:
            raise VersionError(
                f"the gateway (release {bridge.version}) speaks version {bridge.protocol} of the protocol, this edge "
                f"(release {release()}) version {PROTOCOL}: install the same release of deepthings on both"
            )

    def _on_node_state(self, name: str, node: NodeState) -> None:
        if node.state is State.OFFLINE and name != self._config.name:
            self._owner.on_node_lost(name)

    def _state(self, state: State) -> NodeState:
        online = state is State.ONLINE
        listen = self._server.address if online else Address("", 0)
        host = address_towards(self._config.broker) if online and is_wildcard(listen.host) else listen.host
        return NodeState(
            node=self._config.name,
            state=state,
            protocol=PROTOCOL,
            version=release(),
            host=host,
            port=listen.port,
        )

    def _stats(self, *, final: bool = False) -> NodeStats:
        received = Counter({f"tcp_{kind}": count for kind, count in self._traffic.items()})
        return NodeStats(
            node=self._config.name,
            epoch=self._worker.work.epoch if self._worker.work else 0,
            tiles=TileCounts(own=self._worker.own, stolen=self._worker.stolen),
            bytes={**received, "mqtt": self._bus.sent_bytes},
            cameras=self._cameras.cameras,
            final=final,
        )

    async def _report_stats(self) -> None:
        told: NodeStats | None = None
        while True:
            await asyncio.sleep(STATS_S)
            stats = self._stats()
            if told is None or (stats.epoch, stats.tiles, stats.cameras) != (
                told.epoch,
                told.tiles,
                told.cameras,
            ):
                self._bus.post(topics.NODE_STATS, stats, self._config.name)
                told = stats

    # the plan

    async def _follow_plans(self) -> None:
        """Adopt each plan of the gateway; keep trying to fetch its program until a newer plan comes."""
        while True:
            plan = await self._plans.get()
            backoff = Backoff()
            while self._plans.empty():
                try:
                    await self._adopt(plan)
                    break
                except DeepThingsError as error:
                    delay_s = backoff.next_s()
                    log.warning("plan %s cannot be followed: %s; trying again in %.1f s", plan.epoch, error, delay_s)
                    await asyncio.sleep(delay_s)

    async def _adopt(self, plan: PlanMessage) -> None:
        if self._worker.work is not None and self._worker.work.epoch == plan.epoch:
            self._resume()
            return
        gateway = gateway_address(plan, self._config.broker)
        program = await self._programs.get(plan.stages[0].program, gateway)
        engine = await asyncio.to_thread(TileEngine, program, self._config.threads)
        work = Work(plan, engine, gateway)
        self._owner.adopt(work)
        self._thief.adopt(work)
        self._worker.work = work
        self._worker.wake()
        self._cameras.invite()
        self._bus.post(topics.NODE_STATS, self._stats(), self._config.name)
        log.info("plan %s: %s, %s tiles (%s)", plan.epoch, plan.model, work.tile_count, plan.stages[0].grid)

    # the data plane

    async def _serve(self, connection: Connection, first: Header, payload: Payload) -> None:
        if isinstance(first, Camera):
            await self._cameras.serve(connection, first)
        elif isinstance(first, Take):
            await self._serve_thief(connection, first)
        elif isinstance(first, PictureRequest):
            await self._serve_pictures(connection, first)
        else:
            raise ProtocolError(f"{first.kind.name} ({payload.size} bytes) is not for an edge")

    async def _serve_thief(self, connection: Connection, take: Header) -> None:
        while True:
            assert isinstance(take, Take)
            lent = self._owner.lend(take.thief, take.epoch)
            if lent is None:
                await connection.send(Absent(reason="no task is waiting"))
            else:
                header, pixels = lent
                try:
                    await connection.send(header, [pixels.data])
                except DeepThingsError:
                    self._owner.put_back(Task(header.info.frame, header.tile), f"{take.thief} did not receive it")
                    raise
            take, _ = await connection.expect(Take)

    async def _serve_pictures(self, connection: Connection, request: Header) -> None:
        while True:
            assert isinstance(request, PictureRequest)
            owned = self._owner.picture(request.frame)
            if owned is None:
                await connection.send(Absent(reason="that frame is finished"))
            else:
                await connection.send(Picture(info=owned.info), [owned.picture.data])
            with contextlib.suppress(PeerLostError):
                request, _ = await connection.expect(PictureRequest)
                continue
            return
