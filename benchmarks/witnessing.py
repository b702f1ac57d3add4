"""Receives the messages of a cluster's broker through another process, and keeps what the benchmark needs of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.errors import DeepThingsError
from shared.process.children import parent_death_prefix, stop_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from shared.network.addresses import Address


class UnfinishedError(DeepThingsError):
    """The cluster did not reach a state, or a device did not answer, within the expected time."""


@dataclass(slots=True)
class WitnessedState:
    """The messages that the witness has received: the newest of each topic, and all detections.

    `changed` is set after each message.
    """

    bridge: str = ""
    plan: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, Any] = field(default_factory=dict)
    gateway_bytes: dict[str, int] = field(default_factory=dict)
    detections: list[dict[str, Any]] = field(default_factory=list)
    cameras: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def update(self, kind: str, name: str, message: dict[str, Any]) -> None:
        """Store a message; `kind`: its name in benchmarks.witness.WITNESSED_TOPICS, `name`: of its camera, if any."""
        match kind:
            case "bridge":
                self.bridge = message["state"]
            case "plan":
                self.plan = message
            case "nodes":
                self.nodes, self.gateway_bytes = message["nodes"], message["gateway_bytes"]
            case "detections":
                self.detections.append(message)
            case _:
                self.cameras[name] = message
        self.changed.set()

    async def wait_until(self, event: str, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until a condition on the messages holds. Raises UnfinishedError if it does not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            accounts = {name: stats["counts"] for name, stats in self.cameras.items()}
            raise UnfinishedError(
                f"{event} did not come within {timeout_s:.0f} s; {len(self.detections)} frames were received, cameras "
                f"report {accounts}"
            ) from None


@contextlib.asynccontextmanager
async def witness_messages(host: Sequence[str], broker: Address, state: WitnessedState) -> AsyncIterator[None]:
    """Update `state` with the broker's messages as long as the context lasts.

    Another process receives them, so that no node's CPU time is used. `host` is put before the command of this
    process, as in LocalCluster.start.
    """
    process = await asyncio.create_subprocess_exec(
        *host, *parent_death_prefix(), sys.executable, "-P", "-m", "benchmarks.witness", str(broker),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        limit=2**24,
    )  # fmt: skip
    reading = asyncio.create_task(_read_messages(process, state))
    try:
        yield
    finally:
        await stop_process(process, 5.0)
        await asyncio.gather(reading, return_exceptions=True)


async def _read_messages(process: asyncio.subprocess.Process, state: WitnessedState) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        state.update(*json.loads(line))
