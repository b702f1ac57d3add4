"""Answers requests for this process's spans, and requests the spans and the clock of another node."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from shared.errors import ProtocolError
from shared.security.data_security import THE_GATEWAY
from shared.tracing.clocks import ClockOffset, RoundTrip, align_clocks
from shared.tracing.recording import encode_recording
from shared.tracing.spans import tracer
from shared.wire.connection import Connection
from shared.wire.headers import TraceHeader, TraceRequestHeader
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from shared.network.addresses import Address
    from shared.security.data_security import DataSecurity, ExpectedPeer
    from shared.wire.connection import Payload

CLOCK_TRIPS = 8
"""Round trips, the shortest of which counts: on Wi-Fi most of them are delayed by some milliseconds."""

CLUSTER_TRACE_TIMEOUT_S = 20.0
"""Timeout of a gateway's answer: it waits for its edges, and may answer another request first."""


async def send_spans(connection: Connection, request: TraceRequestHeader) -> None:
    """Answer a request with this process's spans; a request for zero seconds with the clock only."""
    if request.seconds <= 0:
        await connection.send(TraceHeader(clock=time.monotonic()))
        return
    recording = await own_recording(request.seconds)
    await connection.send(TraceHeader(clock=time.monotonic()), [memoryview(recording)])


async def own_recording(seconds: float) -> bytes:
    """Return this process's spans, encoded in another thread, so that frames are not delayed."""
    now = time.monotonic()
    return await asyncio.to_thread(
        lambda: encode_recording(tracer.spans(now, seconds), tracer.process_time(now, seconds))
    )


async def request_spans(
    address: Address, seconds: float, traffic: WireTraffic, expected: ExpectedPeer
) -> tuple[ClockOffset, Payload]:
    """Return the offset of a node's clock from ours, and the node's encoded spans.

    Raises PeerLostError, PeerTimeoutError, or ProtocolError, which includes releases without a trace.
    """
    connection = await Connection.open(address, traffic, expected)
    try:
        trips = [await _round_trip(connection) for _ in range(CLOCK_TRIPS)]
        header, payload = await connection.request(TraceRequestHeader(seconds=seconds), TraceHeader)
        if header.recordings:
            raise ProtocolError(f"{connection.peer} sent traces of other nodes, which were not requested")
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
