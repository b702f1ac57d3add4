"""Accounts of cameras are true whoever dies: what is published was seen, and every captured frame has its end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket

import pytest

from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import State
from shared.payloads.frames import Outcome
from tests.harness import running_cluster, until_listening

RATE = ("--loop", "--fps", "10")


def seen(witness, camera="front"):
    """Distinct frames of the newest session of a camera that were published, as anybody hears them."""
    frames = [frame.frame for frame in witness.detections if frame.camera == camera]
    session = frames[-1].rpartition("-")[0]
    return len({frame for frame in frames if frame.startswith(session)})


async def until_true(witness, camera="front", timeout_s=30):
    """Until the account is closed and says what was seen; the last words of both may come in any order."""

    def is_true():
        stats = witness.stats[camera]
        return (
            stats.state is State.OFFLINE
            and stats.counts.under_way == 0
            and stats.counts.published == seen(witness, camera)
        )

    await witness.until("an account that is true", is_true, timeout_s)
    return witness.stats[camera].counts


async def until_so_many(witness, more):
    there = len(witness.detections)
    await witness.until(f"{more} frames", lambda: len(witness.detections) >= there + more)


class Proxy:
    """Between one peer and the port of another; it can be cut, and lets new connections through after that."""

    def __init__(self, port):
        self._port = port
        self._writers = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.address = Address(*self._server.sockets[0].getsockname()[:2])
        return self

    async def __aexit__(self, *_):
        self._server.close()
        self.cut()

    def cut(self):
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async def _serve(self, reader, writer):
        there, back = await asyncio.open_connection(LOOPBACK, self._port)
        self._writers |= {writer, back}
        await asyncio.gather(self._pass(reader, back), self._pass(there, writer))

    @staticmethod
    async def _pass(reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.mark.slow
async def test_an_owner_that_is_cut_off_or_frozen_learns_which_of_its_frames_were_published(tmp_path):
    async with running_cluster(tmp_path, 2) as cluster, Proxy(cluster.broker.port) as proxy:
        witness = cluster.witness
        owner = await cluster.start_edge("edge-9", "--gateway", str(proxy.address))
        await cluster.edges_ready("edge-9")
        camera = await cluster.start_camera("front", "edge-9", *RATE)
        for _ in range(3):
            await until_so_many(witness, 8)
            proxy.cut()
        await until_so_many(witness, 8)
        cluster.signal(owner, signal.SIGSTOP)
        proxy.cut()
        await witness.until("its will", lambda: witness.nodes["edge-9"].state is State.OFFLINE)
        cluster.signal(owner, signal.SIGCONT)
        await until_so_many(witness, 4)
        cluster.signal(camera, signal.SIGTERM)
        counts = await until_true(witness)
    assert counts.dropped.get(Outcome.NO_ANSWER, 0) == 0


@pytest.mark.slow
async def test_accounts_of_an_agent_that_is_cut_off_of_one_that_is_killed_and_of_a_killed_edge(tmp_path):
    async with running_cluster(tmp_path, 2) as cluster:
        witness = cluster.witness
        async with Proxy(Address.parse(witness.nodes["edge-1"].address).port) as proxy:
            camera = await cluster.processes.start(
                "front", "camera", "--source", "test://640x480?fps=15", "--name", "front", "--edge",
                str(proxy.address), "--fps", "all",
            )  # fmt: skip
            for _ in range(3):
                await until_so_many(witness, 3)
                proxy.cut()
            await until_so_many(witness, 5)
            assert Outcome.AGENT_LOST not in witness.stats["front"].counts.dropped
            cluster.signal(camera, signal.SIGKILL)
            counts = await until_true(witness)
            assert set(counts.dropped) <= {Outcome.SUPERSEDED, Outcome.NO_EDGE, Outcome.AGENT_LOST}
        camera = await cluster.start_camera("yard", "edge-1", *RATE)
        await until_so_many(witness, 8)
        cluster.signal(camera, signal.SIGSTOP)  # or it would still say something when its edge is gone
        cluster.signal(cluster.edges["edge-1"], signal.SIGKILL)
        await until_true(witness, "yard")
        assert witness.stats["yard"].reason == "its edge edge-1 is gone"


@pytest.mark.slow
async def test_a_gateway_that_is_killed_as_soon_as_a_frame_is_seen_leaves_a_true_account(tmp_path):
    async with running_cluster(tmp_path, 2) as cluster:
        witness = cluster.witness
        camera = await cluster.start_camera("front", "edge-1", *RATE)
        for _ in range(2):
            await until_so_many(witness, 5)
            cluster.signal(cluster.gateway, signal.SIGKILL)
            for edge in cluster.edges.values():
                cluster.signal(edge, signal.SIGSTOP)  # its broker is gone, too: who listens must be back first
            await cluster.gateway.process.wait()
            await until_listening(cluster.broker, await cluster.start_gateway())
            await asyncio.wait_for(witness.bus.connected.wait(), 30)
            for edge in cluster.edges.values():
                cluster.signal(edge, signal.SIGCONT)
        await until_so_many(witness, 5)
        cluster.signal(camera, signal.SIGTERM)
        await until_true(witness)
