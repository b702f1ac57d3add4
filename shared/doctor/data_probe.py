"""Connects to the data planes of the gateway and of the edges, and measures the rate of the gateway's."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from shared.doctor.doctor_facts import ReachAnswer
from shared.errors import DeepThingsError
from shared.network.addresses import Address
from shared.network.hosts import is_loopback
from shared.payloads.cluster import State
from shared.security.data_security import THE_GATEWAY, ExpectedPeer
from shared.security.member_list import Role
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, ProgramHeader, ProgramRequestHeader
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.payloads.cluster import NodeState
    from shared.plan.plan import PartRef, PlanOffer
    from shared.security.data_security import DataSecurity

MIN_PART_BYTES = 16 * 1024
"""Smaller parts are not used: fetching them would measure the time of the request, not the rate of the link."""

MEASURED_BYTES = 2**20
"""The largest part of the program is fetched repeatedly until this many bytes have come."""

MAX_MEASURED_S = 15.0
"""Measuring ends after this time: the link is slow in any case. A single part has the timeout of every message."""

MAX_PROBES_AT_ONCE = 16
"""Edges that are connected to at the same time."""


async def reach_gateway(address: Address, plan: PlanOffer | None, security: DataSecurity | None) -> ReachAnswer:
    """Connect to the gateway's data plane, and fetch a part of the plan's program to measure the link."""
    try:
        connection = await Connection.open(address, WireTraffic(security), THE_GATEWAY)
    except DeepThingsError as error:
        return ReachAnswer(str(address), _reason(error, address))
    try:
        part = _largest_part(plan) if plan is not None else None
        if part is None or part.bytes < MIN_PART_BYTES:
            return ReachAnswer(str(address))
        return ReachAnswer(str(address), bytes_per_s=await _measure(connection, part))
    except DeepThingsError as error:
        return ReachAnswer(str(address), _reason(error, address))
    finally:
        connection.close()


async def reach_edges(
    broker: Address, nodes: Mapping[str, NodeState], own: tuple[str, str], security: DataSecurity | None
) -> dict[str, ReachAnswer]:
    """Connect to the data plane of each other edge that is online. `own` are the name and the network of this device.

    An edge of another machine that listens on loopback only is left out: the gateway reports it.
    """
    own_name, network = own
    wanted = {
        name: Address(node.host, node.port).seen_from(broker)
        for name, node in sorted(nodes.items())
        if node.state is State.ONLINE and name != own_name
    }
    hidden = {name for name in wanted if is_loopback(nodes[name].host) and nodes[name].identity.network != network}
    probes = asyncio.Semaphore(MAX_PROBES_AT_ONCE)

    async def reach(name: str) -> ReachAnswer:
        async with probes:
            return await _reach_edge(wanted[name], ExpectedPeer(Role.EDGE, name), security)

    names = [name for name in wanted if name not in hidden]
    return dict(zip(names, await asyncio.gather(*map(reach, names)), strict=True))


async def _reach_edge(address: Address, expected: ExpectedPeer, security: DataSecurity | None) -> ReachAnswer:
    try:
        (await Connection.open(address, WireTraffic(security), expected)).close()
    except DeepThingsError as error:
        return ReachAnswer(str(address), _reason(error, address))
    return ReachAnswer(str(address))


async def _measure(connection: Connection, part: PartRef) -> float:
    """Return the rate at which the gateway sends a part, in bytes per second; 0 if it no longer has the part.

    Raises DeepThingsError.
    """
    begun, received = time.monotonic(), 0
    while received < MEASURED_BYTES and time.monotonic() - begun < MAX_MEASURED_S:
        header, payload = await connection.request(
            ProgramRequestHeader(sha256=part.sha256), ProgramHeader, AbsentHeader, max_payload=part.bytes
        )
        if isinstance(header, AbsentHeader):  # the plan has just been replaced
            return 0.0
        received += payload.nbytes
    return received / max(1e-6, time.monotonic() - begun)


def _largest_part(plan: PlanOffer) -> PartRef:
    parts: list[PartRef] = []
    for program in (stage.program for stage in plan.stages):
        parts += [program] if program.parts is None else [program.parts.graph, *program.parts.weights]
    return max(parts, key=lambda part: part.bytes)


def _reason(error: DeepThingsError, address: Address) -> str:
    """Return the text of an error without the address, which the finding states already."""
    text = str(error)
    for start in (f"{address} cannot be reached: ", f"{address} "):
        text = text.removeprefix(start)
    return text
