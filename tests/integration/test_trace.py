"""`deepthings trace` at a running cluster: every published frame has its parts, in an order that can be."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import defaultdict

import pytest

from gateway.cluster import trace_collector
from shared.network.addresses import LOOPBACK, Address
from shared.wire.entrance import refuse_connection
from shared.wire.headers import TraceHeader
from shared.wire.server import DataServer
from shared.wire.trace_exchange import request_cluster, send_spans
from shared.wire.wire_traffic import WireTraffic
from tests.commands import DEEPTHINGS
from tests.harness import running_cluster
from tests.ports import free_port

CLOCK_SLACK_US = 3_000
"""All nodes have the clock of this machine; what is left is the error of the round trips that aligned it."""

PARTS_OF_A_FRAME = {
    "capture", "wait for the edge", "transfer", "prepare", "wait for the tail", "tail", "decode", "publish",
}  # fmt: skip
PARTS_OF_A_TILE = {"wait for a device", "compute", "send", "merge"}


async def trace(broker, folder, *options):
    """What it prints, its exit code, and the file that it writes."""
    out = folder / "trace.json"
    process = await asyncio.create_subprocess_exec(
        DEEPTHINGS, "trace", "--gateway", str(broker), "--out", str(out), *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, wrong = await asyncio.wait_for(process.communicate(), 40)
    return process.returncode, said.decode(), wrong.decode(), json.loads(out.read_text()) if out.exists() else None


def slices_by_frame(events):
    found = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            found[event["args"]["frame"]].append(event)
    return found


def ends(slices, part, tile=None):
    """The end of a part of a frame or of one of its tiles: the first, as a tile may be computed twice."""
    return min(each["ts"] + each["dur"] for each in slices if each["name"] == part and each["args"].get("tile") == tile)


def begins(slices, part, tile=None):
    return max(each["ts"] for each in slices if each["name"] == part and each["args"].get("tile") == tile)


async def test_every_published_frame_has_its_parts_in_an_order_that_can_be(tmp_path):
    async with running_cluster(tmp_path, 2, "--method", "ftp-wst") as cluster:
        await cluster.start_camera("campus", "edge-1", "--loop")
        await cluster.witness.until(
            "frames of two edges",
            lambda: (
                len(cluster.witness.detections) >= 12
                and any(len(each.nodes) == 2 for each in cluster.witness.detections[2:-2])
            ),
        )
        begun = cluster.witness.detections[2:-1]
        code, said, wrong, written = await trace(cluster.broker, tmp_path, "--seconds", "60")
        assert (code, wrong) == (0, "")
        events = written["traceEvents"]
        names = {event["args"]["name"] for event in events if event["name"] == "process_name"}
        assert names == {"gateway", "edge-1", "edge-2"}
        frames = slices_by_frame(events)
        for detections in begun:
            check_frame(frames[detections.frame], detections)
        assert any(each["name"] == "fetch" for slices in frames.values() for each in slices)
        assert "the slowest frame, campus-" in said
        code, said, _, _ = await trace(cluster.broker, tmp_path, "--json")
        summary = json.loads(said)
        assert code == 0
        assert summary["cameras"] == ["campus"]
        assert summary["missing"] == {}
        assert set(summary["nodes"]) == names
        assert summary["parts"]["compute"]["cpu_ms"] > 0
        assert summary["nodes"]["gateway"]["process_cpu_ms"] > sum(summary["nodes"]["gateway"]["parts_cpu_ms"].values())
        slowest = summary["slowest"]
        assert sum(slowest["parts_ms"].values()) == pytest.approx(slowest["latency_ms"], abs=0.1)


def check_frame(slices, detections):
    """The parts that a frame of nine tiles must have, and what must come before what."""
    tiles = range(9)
    assert {each["name"] for each in slices} >= PARTS_OF_A_FRAME
    for tile in tiles:
        assert {each["name"] for each in slices if each["args"].get("tile") == tile} >= PARTS_OF_A_TILE
        assert ends(slices, "compute", tile) - begins(slices, "merge", tile) < CLOCK_SLACK_US
        assert ends(slices, "prepare") - ends(slices, "compute", tile) < CLOCK_SLACK_US
        assert ends(slices, "merge", tile) - begins(slices, "tail") < CLOCK_SLACK_US
    order = ["capture", "wait for the edge", "transfer", "prepare", "tail", "decode", "publish"]
    for before, after in itertools.pairwise(order):
        assert ends(slices, before) - begins(slices, after) < CLOCK_SLACK_US, (before, after)
    captured = min(each["ts"] for each in slices)
    assert (begins(slices, "publish") - captured) / 1e3 == pytest.approx(detections.latency_ms.total, abs=5)


async def test_a_whole_frame_is_computed_in_one_part_and_its_objects_are_sent(tmp_path):
    async with running_cluster(tmp_path, 1, "--method", "whole") as cluster:
        await cluster.start_camera("campus", "edge-1", "--loop")
        await cluster.witness.until("frames", lambda: len(cluster.witness.detections) >= 6)
        published = cluster.witness.detections[2:-1]
        code, _, wrong, written = await trace(cluster.broker, tmp_path, "--seconds", "60")
        assert (code, wrong) == (0, "")
        frames = slices_by_frame(written["traceEvents"])
        order = ["capture", "transfer", "prepare"]
        for detections in published:
            slices = frames[detections.frame]
            for before, after in itertools.pairwise(order):
                assert ends(slices, before) - begins(slices, after) < CLOCK_SLACK_US
            for part in PARTS_OF_A_TILE:
                assert ends(slices, "prepare") - ends(slices, part, 0) < CLOCK_SLACK_US
            assert ends(slices, "compute", 0) - begins(slices, "merge", 0) < CLOCK_SLACK_US
            assert ends(slices, "merge", 0) - begins(slices, "publish") < CLOCK_SLACK_US


async def test_nothing_that_listens_is_told_with_what_to_do(tmp_path):
    code, said, wrong, written = await trace(Address(LOOPBACK, free_port()), tmp_path)
    assert (code, said, written) == (1, "", None)
    assert wrong.startswith("Error: broker 127.0.0.1:")
    assert "deepthings gateway" in wrong


class Present:
    """The edges of a cluster by name, with their addresses."""

    def __init__(self, addresses):
        self._addresses = addresses
        self.present = tuple(addresses)

    def address(self, name):
        return self._addresses[name]


@contextlib.asynccontextmanager
async def serving(answer):
    """A data plane that calls `answer(connection, header)` with each message."""

    async def serve(connection, header, _):
        while True:
            await answer(connection, header)
            header, _ = await connection.receive()

    server = DataServer(serve, Address(LOOPBACK, 0), WireTraffic())
    running = asyncio.create_task(server.run())
    try:
        yield server.address
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_edges_that_do_not_answer_are_named_with_the_reason_and_hold_nobody_up(monkeypatch):
    monkeypatch.setattr(trace_collector, "EDGE_TRACE_TIMEOUT_S", 0.5)
    silent = asyncio.Event()

    async def be_silent(*_):
        await silent.wait()

    async def refuse(connection, _):
        await refuse_connection(connection, "unknown kind of message 40")

    async def send_garbage(connection, request):
        await connection.send(TraceHeader(clock=1.0), [memoryview(b"?" * 10)] if request.seconds else [])

    async with contextlib.AsyncExitStack() as stack:
        edges = {
            "answers": await stack.enter_async_context(serving(send_spans)),
            "garbage": await stack.enter_async_context(serving(send_garbage)),
            "old": await stack.enter_async_context(serving(refuse)),
            "off": Address(LOOPBACK, free_port()),
            "silent": await stack.enter_async_context(serving(be_silent)),
        }
        collector = trace_collector.TraceCollector(Present(edges), WireTraffic())
        gateway = await stack.enter_async_context(serving(collector.answer))
        async with asyncio.timeout(10):
            header, payload = await request_cluster(gateway, 60.0)
    refs = {ref.node: ref for ref in header.recordings}
    assert list(refs) == ["gateway", *edges]
    assert sum(ref.bytes for ref in header.recordings) == payload.size
    assert {name for name, ref in refs.items() if not ref.missing} == {"gateway", "answers", "garbage"}
    assert abs(refs["answers"].offset_s) <= refs["answers"].round_trip_s / 2
    assert refs["old"].missing == "its release has no trace; install the gateway's release there"
    assert "cannot be reached: connection refused" in refs["off"].missing
    assert refs["silent"].missing.startswith("it did not send its trace within")
