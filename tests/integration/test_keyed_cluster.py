"""A cluster with keys as processes: it computes as others do, and strangers get nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from camera_sources.source import FOOTAGE
from gateway.authority.broker_logins import USERS_FILE
from gateway.authority.cluster_keys import open_cluster_keys
from gateway.broker.logins import LoginFile
from shared.errors import PeerLostError, ProtocolError
from shared.files.program_folder import default_cache
from shared.mqtt.broker_login import Login
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import State
from shared.payloads.frames import FrameInfo
from shared.process.local_cluster import LocalCluster
from shared.security.certificates import der_of, member_in
from shared.security.data_security import THE_GATEWAY, DataSecurity, ExpectedPeer
from shared.security.issuing import make_key, public_key_of
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity, load_identity, store_identity
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, PictureRequestHeader, ProgramRequestHeader, ResultHeader, TakeHeader
from shared.wire.wire_traffic import WireTraffic
from tests.harness import Witness, until_listening, until_said
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from gateway.authority.cluster_keys import ClusterKeys

pytestmark = pytest.mark.asyncio(loop_scope="module")

INFO = FrameInfo(frame="front-1", camera="front", number=1, captured_at=1.0, height=8, width=8)


class Home:
    """A gateway with keys that is reached from everywhere, and what people see of it on its machine."""

    def __init__(self, folder: Path, processes: LocalCluster) -> None:
        self.folder = folder
        self.processes = processes
        self.public, self.data, self.broker = (Address(LOOPBACK, free_port()) for _ in range(3))
        state = folder / "logs" / "state" / "deepthings"
        self.keys: ClusterKeys = open_cluster_keys(state, OWN_NODE, "never")
        self.witness = Witness(self.public, Login("witness", LoginFile(state / USERS_FILE).add("witness")))

    def join(self, name: str, role: Role = Role.EDGE) -> NodeIdentity:
        """Make a member, as `deepthings join` does."""
        key = make_key()
        certificate = self.keys.authority.issue(role, name, public_key_of(key))
        member = member_in(der_of(certificate))
        authority, token = self.keys.authority.certificate, self.keys.authority.token_of(member)
        identity = NodeIdentity(self.folder / name, authority, certificate, key, token)
        store_identity(identity)
        self.keys.members.add(member)
        return identity

    def security(self, name: str) -> DataSecurity:
        return DataSecurity(load_identity(self.folder / name), self.keys.members.list)

    def address(self, edge: str) -> Address:
        return Address.parse(self.witness.nodes[edge].address)

    async def start(self, *edges: str) -> None:
        ports = {
            "cluster": self.processes.broker, "cluster-tls": self.broker, "": self.public,
            "tls": Address(LOOPBACK, free_port()), "data": self.data,
        }  # fmt: skip
        options = [word for name, at in ports.items() for word in (f"--{name}-port".replace("---", "--"), str(at.port))]
        file = self.folder / "home.yaml"
        file.write_text(f"cameras: {{yard: {{source: {FOOTAGE}, loop: true, fps: 1}}}}\n")
        self.gateway = await self.processes.start(
            "gateway", "gateway", "--config", str(file), "--listen", "0.0.0.0", *options, "--method", "ftp-wst",  # noqa: S104
            "--verify-every", "1", "-v",
        )  # fmt: skip
        await until_listening(self.public, self.gateway)
        for name in edges:
            await self.processes.start(
                name, "edge", "--gateway", str(self.broker), "--keys", str(self.folder / name), "--cache",
                str(default_cache()), "--max-cores", "1", "-v",
            )  # fmt: skip
        await self.witness.until("edges with a plan", lambda: all(self._ready(name) for name in edges))

    def _ready(self, edge: str) -> bool:
        return edge in self.witness.nodes and self.witness.nodes[edge].epoch > 0

    async def film(self, camera: str, edge: str, frames: int, *keys: str) -> None:
        """Let a camera feed so many frames to an edge, and wait until all are published."""
        await self.processes.start(
            camera, "camera", "--source", str(FOOTAGE), "--name", camera, "--edge", str(self.address(edge)), "--fps",
            "all", "--no-motion-gate", "--every-frame", "--frames", str(frames), *keys,
        )  # fmt: skip
        await self.witness.until(f"the end of camera {camera}", lambda: self.witness.ended(camera))
        counts = self.witness.stats[camera].counts
        assert (counts.published, counts.dropped) == (frames, {})

    def log(self, name: str) -> str:
        return (self.folder / "logs" / f"{name}.log").read_text()


@contextlib.asynccontextmanager
async def running_home(folder: Path, *edges: str) -> AsyncIterator[Home]:
    async with LocalCluster(Address(LOOPBACK, free_port()), folder / "logs") as processes:
        home = Home(folder, processes)
        for name in (*edges, "spy"):
            home.join(name)
        watching = asyncio.create_task(home.witness.bus.run())
        try:
            await home.start(*edges)
            yield home
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def refusal(address, security, expected, request) -> str:
    """Why a peer is not answered."""
    try:
        connection = await Connection.open(address, WireTraffic(security), expected)
        await connection.request(request, AbsentHeader)
    except (PeerLostError, ProtocolError) as error:
        return str(error)
    raise AssertionError(f"{request} was answered")


async def test_a_closed_cluster_computes_for_its_members_and_strangers_get_nothing(tmp_path):
    async with running_home(tmp_path, "edge-1", "edge-2") as home:
        first = home.address("edge-1")
        picture, program = PictureRequestHeader(frame="front-1"), ProgramRequestHeader(sha256="0" * 64)
        for address, request in ((first, picture), (first, TakeHeader(thief="edge-2", epoch=1)), (home.data, program)):
            assert "this cluster is closed to devices without keys" in await refusal(address, None, None, request)
        spy = home.security("spy")
        assert "may not send PICTURE_REQUEST" in await refusal(first, spy, ExpectedPeer(Role.EDGE, "edge-1"), picture)
        forged = ResultHeader(info=INFO, epoch=1, owner="edge-1", worker="edge-2", tile=0, shapes=(), compute_ms=1)
        assert "edge 'spy' spoke in the name of edge 'edge-2'" in await refusal(home.data, spy, THE_GATEWAY, forged)
        stranger = await home.processes.start(
            "stranger", "camera", "--source", "test://64x48?fps=5", "--name", "front", "--edge", str(first), "--keys",
            str(tmp_path / "nothing"),
        )  # fmt: skip
        await until_said(stranger, "an agent of camera front shows no permit: start it as the user that runs this edge")
        yard = home.witness.stats
        await home.witness.until("frames of its own camera", lambda: "yard" in yard and yard["yard"].counts.published)
        assert yard["yard"].assigned, "its edge got its settings, and runs its agent"
        await home.film("front", "edge-1", 20, "--keys", str(tmp_path / "edge-1"))
        assert sum(home.witness.tiles("edge-2")) > 0
        assert max(verification.max_abs_diff for verification in home.witness.verifications) <= 1e-5
        for edge in ("edge-1", "edge-2"):
            assert not [line for line in home.log(edge).splitlines() if "ERROR" in line or "Traceback" in line]
        await home.processes.start("revoke", "revoke", "edge-2")
        await home.witness.until("the loss of edge-2", lambda: home.witness.nodes["edge-2"].state is State.OFFLINE)
        computed = home.witness.tiles("edge-2")
        await home.film("back", "edge-1", 5, "--keys", str(tmp_path / "edge-1"))
        assert home.witness.tiles("edge-2") == computed
        revoked = DataSecurity(load_identity(tmp_path / "edge-2"), by_certificate=True)
        take = TakeHeader(thief="edge-2", epoch=1)
        said = await refusal(first, revoked, ExpectedPeer(Role.EDGE, "edge-1"), take)
        assert "edge 'edge-2' was revoked" in said
        await until_said(home.gateway, "a connection is closed: edge 'edge-2' was revoked")
