"""Collects the recorded spans of the gateway and its edges, with the offsets of their clocks, on request."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError
from shared.payloads.cluster import MAX_REASON_LENGTH
from shared.security.data_security import ExpectedPeer
from shared.security.member_list import Role
from shared.wire.headers import MAX_TRACED_NODES, RecordingRef, TraceHeader, TraceRequestHeader
from shared.wire.trace_exchange import own_recording, request_spans, send_spans

if TYPE_CHECKING:
    from gateway.membership.members import Membership
    from shared.network.addresses import Address
    from shared.wire.connection import Connection
    from shared.wire.wire_traffic import WireTraffic

EDGE_TRACE_TIMEOUT_S = 6.0
"""An edge that has not sent its spans within this time is named as missing; a busy device at a slow link needs 2 s."""

MAX_TRACE_BYTES = 48 * 2**20
"""Bytes of all spans together, below the limit of the message; edges whose spans do not fit are named as missing."""

TRACED_GATEWAY, OTHER_TRACED_GATEWAY = "gateway", "the gateway"
"""The gateway's name in a trace, and the name that it has instead if an edge is called `gateway`."""


class TraceCollector:
    """Answers requests for traces, one at a time, so that several requests cause edges no more load than one."""

    def __init__(self, members: Membership, traffic: WireTraffic) -> None:
        self._members = members
        self._traffic = traffic
        self._collecting = asyncio.Lock()

    async def answer(self, connection: Connection, request: TraceRequestHeader) -> None:
        """Send the spans of this process, or those of the whole cluster. Raises the errors of the connection."""
        if not request.cluster:
            await send_spans(connection, request)
            return
        header, parts = await self.collect(request.seconds)
        await connection.send(header, parts)

    async def collect(self, seconds: float) -> tuple[TraceHeader, list[memoryview]]:
        """Return the spans of all nodes in the last `seconds`: a header that describes them, and the encoded spans."""
        async with self._collecting:
            return await self._collect(seconds)

    async def _collect(self, seconds: float) -> tuple[TraceHeader, list[memoryview]]:
        edges = [
            (name, address)
            for name in self._members.present[: MAX_TRACED_NODES - 1]
            if (address := self._members.address(name)) is not None
        ]
        asked = await asyncio.gather(*(self._ask(name, address, seconds) for name, address in edges))
        own = await own_recording(seconds)
        name = OTHER_TRACED_GATEWAY if TRACED_GATEWAY in self._members.present else TRACED_GATEWAY
        found = [(RecordingRef(node=name, bytes=len(own)), memoryview(own)), *asked]
        refs, parts, size = [], [], 0
        for ref, part in found:
            if size + len(part) > MAX_TRACE_BYTES:
                refs.append(RecordingRef(node=ref.node, missing="the traces of all edges are too large together"))
                continue
            refs.append(ref)
            parts.append(part)
            size += len(part)
        return TraceHeader(clock=time.monotonic(), recordings=tuple(refs)), parts

    async def _ask(self, name: str, address: Address, seconds: float) -> tuple[RecordingRef, memoryview]:
        try:
            async with asyncio.timeout(EDGE_TRACE_TIMEOUT_S):
                clock, payload = await request_spans(address, seconds, self._traffic, ExpectedPeer(Role.EDGE, name))
        except TimeoutError:
            return _missing(name, f"it did not send its trace within {EDGE_TRACE_TIMEOUT_S:.0f} s"), memoryview(b"")
        except DeepThingsError as error:
            return _missing(name, str(error)), memoryview(b"")
        ref = RecordingRef(
            node=name, bytes=payload.size, offset_s=clock.offset_s, round_trip_s=max(0.0, clock.round_trip_s)
        )
        return ref, payload.data


def _missing(name: str, reason: str) -> RecordingRef:
    if "unknown kind of message" in reason:
        reason = "its release has no trace; install the gateway's release there"
    return RecordingRef(node=name, missing=reason[:MAX_REASON_LENGTH])
