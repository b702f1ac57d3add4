"""Metrics of a running cluster, as Prometheus' own checker reads them."""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from shared.metrics import metrics_server
from shared.metrics.metric_families import Metric
from shared.metrics.metrics_server import MAX_REQUEST_HEAD_BYTES, MetricsServer
from shared.network.addresses import LOOPBACK, Address
from tests.documents import ROOT, commands
from tests.harness import running_cluster
from tests.ports import free_port


async def checked(text):
    """What `promtool check metrics` says of it, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        "promtool", "check", "metrics", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(text.encode()), 20)
    return process.returncode, said.decode()


async def test_prometheus_accepts_the_metrics_of_gateway_and_edge(tmp_path):
    page, edge = free_port(), free_port()
    (line,) = [line for line in commands(ROOT / "docs" / "metrics.md") if line.startswith("deepthings edge")]
    assert "--metrics-port 8096" in line
    async with running_cluster(tmp_path, 1, "--page-port", str(page)) as cluster, httpx.AsyncClient() as prometheus:
        await cluster.start_edge("edge-2", "--metrics-port", str(edge))
        await cluster.edges_ready("edge-1", "edge-2")
        await cluster.start_camera("campus", "edge-1", "--frames", "12")
        await cluster.witness.until("the end of the camera", lambda: cluster.witness.ended("campus"))
        found = {port: (await prometheus.get(f"http://{LOOPBACK}:{port}/metrics")).text for port in (page, edge)}
        published = cluster.witness.stats["campus"].counts.published
    for text in found.values():
        assert await checked(text) == (0, "")
    count = re.search(r'^deepthings_frame_latency_seconds_count\{camera="campus"\} (\S+)$', found[page], re.MULTILINE)
    assert float(count[1]) == published
    assert 'deepthings_node_online{node="edge-2"} 1.0' in found[page]
    assert 'deepthings_edge_info{node="edge-2",version=' in found[edge]


async def ask(address, request):
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def server(monkeypatch):
    monkeypatch.setattr(metrics_server, "SCRAPE_TIMEOUT_S", 0.5)
    address = Address(LOOPBACK, free_port())
    running = asyncio.create_task(
        MetricsServer(address, lambda: [Metric("deepthings_x", "X.", "gauge", [({}, 1.0)])]).run()
    )
    await asyncio.sleep(0.05)
    yield address
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_edge_answers_for_metrics_only(server):
    assert b"deepthings_x 1.0" in await ask(server, b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await ask(server, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 404")
    assert (await ask(server, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")


@pytest.mark.parametrize("request_", [b"", b"GET /metr", b"\0\r\n\r\n", b"x" * (2 * MAX_REQUEST_HEAD_BYTES)])
async def test_nonsense_ends_its_own_connection_and_nothing_else(server, request_):
    answer = await ask(server, request_)
    assert b"200 OK" not in answer
    assert b"deepthings_x 1.0" in await ask(server, b"GET /metrics HTTP/1.1\r\n\r\n")
