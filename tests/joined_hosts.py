"""A gateway on a host of its own, and devices on others that join it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

from shared.process.local_cluster import ChildProcess, LocalCluster
from tests.commands import run
from tests.harness import until_said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from shared.network.addresses import Address

LISTEN = ("--listen", "0.0.0.0")  # noqa: S104  (hosts that only tests reach)
COMPUTES = "by whole, whole frames"
"""What an edge logs when it takes part."""

Host = tuple[str, ...]
"""What is put before a command, so that it runs there."""


async def run_ok(*words: object) -> str:
    """`deepthings WORDS`, which must succeed; what it printed."""
    done = await asyncio.to_thread(run, *map(str, words))
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


async def nodes_of(state: Path) -> dict[str, dict[str, Any]]:
    """What `deepthings nodes` tells of each member of the gateway with this state folder."""
    told = json.loads(await run_ok("nodes", "--state", state, "--json"))["nodes"]
    return {node["name"]: node for node in told}


class JoinedHosts:
    """The processes on all hosts; `state` is the gateway's folder."""

    def __init__(self, folder: Path, processes: LocalCluster, gateway: ChildProcess) -> None:
        self.folder, self.processes, self.gateway = folder, processes, gateway
        self.state = folder / "logs" / "state" / "deepthings"
        self.code = ""
        """Of the last invitation."""

    async def join(self, name: str, host: Host, *, role: str = "edge") -> Path:
        """Invite a device, and let it join on its host; return the folder of its keys."""
        said = await run_ok("invite", name, "--role", role, "--state", self.state)
        (self.code,) = [word for word in said.split() if word.startswith("dt1.")]
        keys = self.folder / name
        joined = await self.processes.start(f"join-{name}", "join", self.code, "--keys", str(keys), host=host)
        await joined.wait()
        return keys

    async def start_edge(self, name: str, host: Host, keys: Path, *options: str) -> ChildProcess:
        """Start an edge, and wait until it takes part."""
        edge = await self.processes.start(name, "edge", *(options or LISTEN), "--keys", str(keys), host=host)
        await until_said(edge, COMPUTES)
        return edge


@contextlib.asynccontextmanager
async def gateway_on(
    host: Host, address: Address, folder: Path, listen: tuple[str, ...] = LISTEN
) -> AsyncIterator[JoinedHosts]:
    """A gateway on a host, which has no edge of its own."""
    async with LocalCluster(address, folder / "logs") as processes:
        gateway = await processes.start("gateway", "gateway", *listen, "--no-compute", host=host)
        await until_said(gateway, "connected to broker")
        yield JoinedHosts(folder, processes, gateway)
