"""Answers requests for this process's spans, and requests those of another node with its clock."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from shared.errors import ProtocolError
from shared.security.data_security import THE_GATEWAY
from shared.tracing.clocks import ClockOffset, RoundTrip, align_clocks
from shared.tracing.recording import encode_recording
from shared.tracing.spans import tracer
from shared.wire.connection import Connection, WireTraffic
from shared.wire.headers import TraceHeader, TraceRequestHeader

if TYPE_CHECKING:
    from shared.network.addresses import Address
    from shared.security.data_security import DataSecurity, ExpectedPeer
    from shared.wire.connection import Payload

CLOCK_TRIPS = 8
"""Round trips of which the shortest counts: on Wi-Fi most are delayed by some milliseconds, and some are not."""

CLUSTER_TRACE_TIMEOUT_S = 20.0
"""A gateway answers when all edges have, or their time is over; another request may be answered first."""


async def send_spans(connection: Connection, request: TraceRequestHeader) -> None:
    """Answer a request with this process's spans; one for zero seconds with its clock only."""
    if request.seconds <= 0:
        await connection.send(TraceHeader(clock=time.monotonic()))
        return
    recording = await own_recording(request.seconds)
    await connection.send(TraceHeader(clock=time.monotonic()), [memoryview(recording)])


async def own_recording(seconds: float) -> bytes:
    """Return this process's spans, encoded in another thread: frames go on meanwhile."""
    now = time.monotonic()
    return await asyncio.to_thread(
        lambda: encode_recording(tracer.spans(now, seconds), tracer.process_time(now, seconds))
    )


async def request_spans(
    address: Address, seconds: float, traffic: WireTraffic, expected: ExpectedPeer
) -> tuple[ClockOffset, Payload]:
    """Return how far a node's clock is ahead of ours, and its encoded spans.

    Raises PeerLostError, PeerTimeoutError or ProtocolError, the last one also for a release that has no trace.
    """
    connection = await Connection.open(address, traffic, expected)
    try:
        trips = [await _round_trip(connection) for _ in range(CLOCK_TRIPS)]
        header, payload = await connection.request(TraceRequestHeader(seconds=seconds), TraceHeader)
        if header.recordings:
            raise ProtocolError(f"{connection.peer} sent the traces of other nodes, which nobody asked for")
        return align_clocks(trips), payload
    finally:
        connection.close()


async def request_cluster(
    address: Address, seconds: float, security: DataSecurity | None = None
) -> tuple[TraceHeader, Payload]:
    """Return the encoded spans of all nodes, from the gateway whose data plane has this address.

    Raises PeerLostError, PeerTimeoutError or ProtocolError.
    """
    connection = await Connection.open(address, WireTraffic(security), THE_GATEWAY)
    try:
        await connection.send(TraceRequestHeader(seconds=seconds, cluster=True))
        header, payload = await connection.receive(CLUSTER_TRACE_TIMEOUT_S)
        if not isinstance(header, TraceHeader):
            raise ProtocolError(f"{address} sent {header.kind.name} instead of a trace")
        return header, payload
    finally:
        connection.close()


async def _round_trip(connection: Connection) -> RoundTrip:
    sent = time.monotonic()
    header, _ = await connection.request(TraceRequestHeader(seconds=0), TraceHeader)
    return RoundTrip(sent, time.monotonic(), header.clock)
