"""Real clusters for tests: processes, a broker, and a witness that subscribes to everything."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from camera_sources.source import FOOTAGE
from gateway.broker.broker_listeners import BrokerListener
from gateway.broker.mosquitto import OwnBroker, own_broker
from shared.files.program_folder import default_cache
from shared.mqtt import topics
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import (
    BridgeState,
    CameraStats,
    FrameDetections,
    Grant,
    NodeReport,
    Nodes,
    State,
    Verification,
)  # fmt: skip
from shared.process.local_cluster import ChildProcess, LocalCluster
from tests.ports import free_port

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from shared.mqtt.topic_kinds import Topic
    from shared.payloads.bridge import BridgeInfo
    from shared.plan.plan import Plan


START_TIMEOUT_S = 45.0
LOOK_AGAIN_S = 0.05
"""Between two looks at whether a port is open."""


def cut_off(bus: Bus) -> None:
    """End a bus's connection without a goodbye, as when the power fails: the broker says its will."""
    assert bus._client is not None
    connection = bus._client._client.socket()
    assert isinstance(connection, socket.socket)
    connection.shutdown(socket.SHUT_RDWR)


@contextlib.asynccontextmanager
async def connected(bus: Bus) -> AsyncIterator[asyncio.Task[None]]:
    """A bus that runs, and is connected when the context begins."""
    running = asyncio.create_task(bus.run())
    try:
        async with asyncio.timeout(10):
            await bus.connected.wait()
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class Witness:
    """Remembers what was said on the bus, and waits for what should be said."""

    def __init__(self, broker: Address, login: Login = ANONYMOUS) -> None:
        self.bus = Bus(broker, f"witness-{os.getpid()}-{broker.port}", login=login)
        self.bridge: list[BridgeState] = []
        self.plans: list[Plan] = []
        self.infos: list[BridgeInfo] = []
        self.nodes: dict[str, NodeReport] = {}
        self.gateway_bytes: dict[str, int] = {}
        self.detections: list[FrameDetections] = []
        self.stats: dict[str, CameraStats] = {}
        self.verifications: list[Verification] = []
        self.problems: tuple[str, ...] = ()
        self.grants: dict[str, list[Grant]] = defaultdict(list)
        self._said = asyncio.Event()
        self._hear(topics.BRIDGE_STATE, lambda _, message: self.bridge.append(message))
        self._hear(topics.PLAN, lambda _, message: self.plans.append(message))
        self._hear(topics.BRIDGE_INFO, lambda _, message: self.infos.append(message))
        self._hear(topics.BRIDGE_NODES, self._on_nodes)
        self._hear(topics.BRIDGE_HEALTH, lambda _, message: setattr(self, "problems", message.problems))
        self._hear(topics.DETECTIONS, lambda _, message: self.detections.append(message))
        self._hear(topics.CAMERA_STATS, self.stats.__setitem__)
        self._hear(topics.BRIDGE_VERIFICATION, lambda _, message: self.verifications.append(message))
        self._hear(topics.GRANTS, lambda name, message: self.grants[name].append(message))

    def _hear(self, topic: Topic[Any], remember: Callable[[str, Any], None]) -> None:
        def heard(name: str, message: Any) -> None:
            remember(name, message)
            self._said.set()

        self.bus.on(topic, heard)

    def _on_nodes(self, _: str, message: Nodes) -> None:
        self.nodes = dict(message.nodes)
        self.gateway_bytes = dict(message.gateway_bytes)

    async def until(self, what: str, condition: Callable[[], object], timeout_s: float = 45) -> None:
        """Wait until `condition()` holds; it is looked at whenever something was said."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._said.clear()
                    await self._said.wait()
        except TimeoutError:
            raise AssertionError(
                f"{what} did not happen; nodes: {self.nodes}, stats: {self.stats}, problems: {self.problems}"
            ) from None

    @property
    def plan(self) -> Plan:
        """The current plan."""
        return self.plans[-1]

    def tiles(self, node: str) -> tuple[int, int]:
        """Own and stolen tiles of a node in all frames published so far."""
        counted = [frame.nodes[node] for frame in self.detections if node in frame.nodes]
        return sum(tiles.own for tiles in counted), sum(tiles.stolen for tiles in counted)

    def ready(self, *edges: str) -> bool:
        """Whether these edges follow the current plan."""
        return bool(self.plans) and all(
            edge in self.nodes and self.nodes[edge].epoch == self.plan.epoch for edge in edges
        )

    def ended(self, camera: str) -> bool:
        """Whether the camera's account is closed and every published frame has been seen here."""
        stats = self.stats.get(camera)
        seen = sum(1 for frame in self.detections if frame.camera == camera)
        return stats is not None and stats.ended and seen >= stats.counts.published


class Cluster:
    """A gateway, edges and cameras as processes on loopback."""

    def __init__(self, processes: LocalCluster, folder: Path, cache: Path | None, faults: Path | None) -> None:
        self.processes = processes
        self.folder = folder
        self.cache = cache or default_cache()
        self.faults = faults
        self.broker = processes.broker
        self.witness = Witness(processes.broker)
        self.edges: dict[str, ChildProcess] = {}
        self._gateway: ChildProcess | None = None

    @property
    def gateway(self) -> ChildProcess:
        assert self._gateway is not None
        return self._gateway

    async def start_gateway(self, *options: str) -> ChildProcess:
        """Frames are divided into tiles that idle edges steal, unless `options` say otherwise."""
        self._gateway = await self.processes.start(
            "gateway",
            "gateway",
            *gateway_ports(self.broker),
            "-v",
            "--method",
            "ftp-wst",
            *options,
            host=self._surroundings,
        )
        return self._gateway

    async def start_edge(
        self, name: str, *options: str, code: Path | None = None, cores: tuple[str, ...] = ("--max-cores", "1")
    ) -> ChildProcess:
        """`code` is a folder of Python modules that take the place of ours, for this edge.

        Unless `options` say otherwise it computes on one core, as the option `cores` says: the edges of a cluster share
        this machine.
        """
        self.edges[name] = await self.processes.start(
            name, "edge", "--gateway", str(self.broker), "--name", name, "--cache", str(self.cache), "-v",
            *cores, *options, host=self._surroundings if code is None else python_path(code),
        )  # fmt: skip
        return self.edges[name]

    async def start_camera(self, name: str, edge: str, *options: str, source: str = str(FOOTAGE)) -> ChildProcess:
        """Start a camera whose frames are all sent, unless `options` say otherwise."""
        return await self.processes.start(
            name, "camera", "--source", source, "--name", name, "--edge", self.witness.nodes[edge].address, "--fps",
            "all", "--no-motion-gate", *options,
        )  # fmt: skip

    async def edges_ready(self, *edges: str) -> None:
        await self.witness.until(f"{edges} following the plan", lambda: self.witness.ready(*edges))

    @property
    def _surroundings(self) -> tuple[str, ...]:
        return () if self.faults is None else python_path(self.faults)

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text()

    @staticmethod
    def signal(child: ChildProcess, number: signal.Signals) -> None:
        child.process.send_signal(number)


def python_path(folder: Path) -> tuple[str, ...]:
    """Return what starts a command with the modules of a folder before all others."""
    return "env", f"PYTHONPATH={folder}"


def gateway_ports(broker: Address) -> tuple[str, ...]:
    """Options of a gateway whose edges connect to `broker`, beside others on this machine."""
    return "--cluster-port", str(broker.port), "--port", str(free_port()), "--data-port", "0", "--page-port", "0"


def broker_at(address: Address) -> contextlib.AbstractAsyncContextManager[OwnBroker]:
    """Run a Mosquitto of its own, as a gateway's, or as that of a house."""
    return own_broker(BrokerListener(address, "stop it"))


async def until_listening(broker: Address, gateway: ChildProcess) -> None:
    """Wait until connections are taken there: whoever tries before waits longer and longer between two tries."""
    async with asyncio.timeout(START_TIMEOUT_S):
        while gateway.process.returncode is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(*broker)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(LOOK_AGAIN_S)
    raise AssertionError(f"the gateway ended: {gateway.log.read_text()}")


async def until_said(child: ChildProcess, words: str, timeout_s: float = 30) -> None:
    """Wait until a process has logged something."""
    async with asyncio.timeout(timeout_s):
        while words not in child.log.read_text():  # noqa: ASYNC110  (a file says nothing when it grows)
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def running_cluster(
    folder: Path, edges: int, *gateway_options: str, cache: Path | None = None, faults: Path | None = None
) -> AsyncIterator[Cluster]:  # fmt: skip
    """A gateway and so many edges (`edge-1`, ...) that follow its plan.

    `cache` is a folder for their programs, instead of the one that all tests share; `faults` one with a
    sitecustomize.py for all processes.
    """
    async with LocalCluster(Address(LOOPBACK, free_port()), folder / "logs") as processes:
        cluster = Cluster(processes, folder, cache, faults)
        gateway = await cluster.start_gateway(*gateway_options)
        await until_listening(cluster.broker, gateway)
        watching = asyncio.create_task(cluster.witness.bus.run())
        try:
            names = [f"edge-{number}" for number in range(1, edges + 1)]
            for name in names:  # they load while the gateway does
                await cluster.start_edge(name)
            await cluster.witness.until(
                "the gateway's start", lambda: any(state.state is State.ONLINE for state in cluster.witness.bridge)
            )
            await cluster.edges_ready(*names)
            yield cluster
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def address_of(cluster: Cluster, edge: str) -> Address:
    """Where an edge listens for tiles and cameras."""
    return Address.parse(cluster.witness.nodes[edge].address)
