"""Pictures of agents on the edge's machine: in shared memory while there is room, else by the connection."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import numpy as np
import pytest

from shared.errors import ProtocolError
from shared.payloads.frames import FrameInfo
from shared.wire.camera_headers import (
    MAX_SHARED_PICTURES,
    CameraHeader,
    ControlHeader,
    FrameHeader,
    ReadyHeader,
)
from shared.wire.connection import Connection
from shared.wire.shared_pictures import SharedPictureWriter
from shared.wire.wire_traffic import WireTraffic
from tests.cameras import agents, assigned, edge_side, until_gone
from tests.commands import DEEPTHINGS

PATTERN = "test://64x48?fps=50"
TOKEN = "ours"  # noqa: S105  (of no agent outside of this test)
INFO = FrameInfo(frame="front-1-000000", camera="front", number=0, captured_at=1.0, height=48, width=64)


def shared(frame):
    """Whether a frame's picture is in shared memory: there an edge can only read it."""
    return not frame[1].flags.writeable


async def test_pictures_are_shared_while_there_is_room_and_stay_as_they_came():
    async with edge_side() as edge:
        accept, copies = edge.accept_frame, []

        async def keep(info, picture, finished, **promised):
            copies.append(picture.copy())
            await accept(info, picture, finished, **promised)

        edge.accept_frame = keep
        edge.supervisor.assign_cameras({"front": assigned(PATTERN, fps=50)})
        await edge.until_more(MAX_SHARED_PICTURES + 5)
        frames = list(edge.frames["front"])
        assert [shared(frame) for frame in frames[: MAX_SHARED_PICTURES + 5]] == [
            *[True] * MAX_SHARED_PICTURES, *[False] * 5
        ]  # fmt: skip
        assert all(np.array_equal(frame[1], copy) for frame, copy in zip(frames, copies, strict=False))
        assert not np.array_equal(copies[0], copies[1])
        frames.clear()
        edge.frames["front"].clear()
        await edge.until("shared pictures again", lambda: any(map(shared, edge.frames["front"])))


async def test_a_picture_outlives_the_agent_that_was_killed():
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(PATTERN)})
        await edge.until_online()  # else the reason below is that of its last report, which is before the first picture
        await edge.until_more(1)
        picture = edge.frames["front"][0][1]
        copy = picture.copy()
        os.kill(agents()["front"][0], signal.SIGKILL)
        await edge.until_offline("its agent is not connected", timeout_s=5)
        assert np.array_equal(picture, copy)
        edge.frames["front"].clear()
        await edge.until_more(1)
        assert shared(edge.frames["front"][0]), "the first of the next agent: this test keeps all, and room is limited"


async def test_an_agent_that_was_started_by_hand_shares_its_pictures_too():
    async with edge_side() as edge:
        process = await asyncio.create_subprocess_exec(
            DEEPTHINGS, "camera", "--source", PATTERN, "--name", "front", "--edge", str(edge.server.address),
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await edge.until_more(3)
            assert all(map(shared, edge.frames["front"]))
        finally:
            process.kill()
            await process.wait()
        await until_gone("front")


@contextlib.asynccontextmanager
async def speaking(edge, memory=None):
    """A connection of an agent whose first picture is invited."""
    connection = await Connection.open(edge.server.address, WireTraffic())
    hello = CameraHeader(camera="front", token=TOKEN, offers=True, memory=memory)
    await connection.request(hello, ControlHeader)
    header, _ = await connection.expect(ReadyHeader)
    try:
        yield connection, header
    finally:
        connection.close()


async def test_memory_is_read_only_by_the_name_that_its_agent_alone_knows():
    writer = SharedPictureWriter()
    guessed = writer.memory.model_copy(update={"name": f"deepthings-{32 * '0'}"})
    async with edge_side() as edge:
        async with speaking(edge, guessed) as (_, ready):
            assert not ready.shared
        await edge.until("its end", lambda: edge.sessions.cameras == ())
        async with speaking(edge, writer.memory) as (connection, ready):
            assert ready.shared
            offset = writer.put_picture(0, np.full((48, 64, 3), 7, np.uint8))
            await connection.send(FrameHeader(info=INFO, offset=offset))
            await edge.until_more(1)
            assert (edge.frames["front"][0][1] == 7).all()
    writer.close()


async def test_a_memory_that_cannot_be_opened_is_done_without():
    writer = SharedPictureWriter()
    gone = writer.memory.model_copy(update={"file": 2**30})
    async with edge_side() as edge, speaking(edge, gone) as (connection, ready):
        assert not ready.shared
        await connection.send(FrameHeader(info=INFO), [np.full((48, 64, 3), 7, np.uint8).data])
        await edge.until_more(1)
    writer.close()


async def until_refused(connection):
    while True:
        await connection.expect(ReadyHeader)


@pytest.mark.parametrize("offset", [0, 10**12])
async def test_a_picture_outside_of_the_memory_ends_the_connection(offset):
    writer = SharedPictureWriter()
    async with edge_side() as edge, speaking(edge, writer.memory) as (connection, _):
        await connection.send(FrameHeader(info=INFO, offset=offset))
        with pytest.raises(ProtocolError, match=r"byte \d+ of a shared memory of 0 bytes"):
            await until_refused(connection)
        assert edge.count() == 0
    writer.close()


async def test_a_picture_in_a_memory_that_is_not_shared_ends_the_connection():
    async with edge_side() as edge, speaking(edge) as (connection, _):
        await connection.send(FrameHeader(info=INFO, offset=0))
        with pytest.raises(ProtocolError, match="in a memory that is not shared"):
            await until_refused(connection)
        assert edge.count() == 0
