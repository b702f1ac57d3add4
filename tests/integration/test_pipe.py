"""Pipes on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil

import pytest
from click.testing import CliRunner

from benchmarks.pipes import PictureWay, main, make_certificate, tls_context
from shared.network.addresses import LOOPBACK, Address
from shared.wire.pipe import MAX_BUFFERS_PER_CALL, TcpListener, TcpPipe
from shared.wire.tls_pipe import TlsPipe
from tests.settling import settled


@contextlib.asynccontextmanager
async def connected():
    """The two ends of a connection."""
    listener = TcpListener(Address(LOOPBACK, 0))
    accepting = asyncio.create_task(listener.accept())
    near = await TcpPipe.connect(Address(*listener.host_and_port))
    far, _ = await accepting
    try:
        yield near, far
    finally:
        near.close()
        far.close()
        listener.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make a certificate with")
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@contextlib.asynccontextmanager
async def encrypted(certificate):
    """The two ends of an encrypted connection."""
    async with connected() as (near, far):
        ends = [
            TlsPipe(pipe, tls_context(certificate, server=server), server=server)
            for pipe, server in ((near, False), (far, True))
        ]
        await asyncio.gather(*(end.handshake() for end in ends))
        yield ends


def buffers_of(sizes):
    return [memoryview(random.Random(number).randbytes(size)) for number, size in enumerate(sizes)]


SIZES = [
    [],
    [0],
    [20],
    [320, 1_327_104],
    [320, 0, 4000, 300_000, 10, 10_000_000, 1],
    [10_000_000, 10_000_000],
    [1] * (3 * MAX_BUFFERS_PER_CALL + 1),
    [20_000] * 1000,
]


async def check_buffers_arrive(near, far, sizes):
    buffers = buffers_of(sizes)
    received = bytearray(sum(sizes))
    writing = asyncio.create_task(near.write(buffers))
    await asyncio.wait_for(far.fill(memoryview(received)), 20)
    await writing
    assert bytes(received) == b"".join(buffers)


@pytest.mark.parametrize("sizes", SIZES)
async def test_buffers_arrive_whole_and_in_order(sizes):
    async with connected() as (near, far):
        await check_buffers_arrive(near, far, sizes)


@pytest.mark.parametrize("sizes", SIZES)
async def test_encrypted_buffers_arrive_whole_and_in_order_both_ways(sizes, certificate):
    async with encrypted(certificate) as (near, far):
        await asyncio.gather(check_buffers_arrive(near, far, sizes), check_buffers_arrive(far, near, sizes))


async def test_the_end_of_an_encrypted_pipe_is_an_end(certificate):
    async with encrypted(certificate) as (near, far):
        near.write_now([memoryview(b"refused")])
        near.finish()
        assert await far.read_some(memoryview(bytearray(10))) == 7
        assert await far.read_some(memoryview(bytearray(10))) == 0
        with pytest.raises(ConnectionResetError):
            await far.fill(memoryview(bytearray(10)))
        far.close()
        assert await near.read_some(memoryview(bytearray(10))) == 0


async def test_no_keys_are_agreed_on_with_a_peer_that_leaves(certificate):
    async with connected() as (near, far):
        far.close()
        with pytest.raises(OSError, match=r".*"):
            await TlsPipe(near, tls_context(certificate, server=False), server=False).handshake()


class BusyPipe:
    """A pipe whose reader, after the first message of a handshake, is away until much has come."""

    def __init__(self, pipe):
        self._pipe = pipe
        self._reads = 0

    async def read_some(self, buffer, wake_at=1):
        self._reads += 1
        return await self._pipe.read_some(buffer, wake_at if self._reads == 1 else len(buffer))

    def __getattr__(self, name):
        return getattr(self._pipe, name)


async def test_a_large_message_right_behind_a_handshake_is_no_endless_handshake(certificate):
    async with connected() as (near, far):
        client = TlsPipe(near, tls_context(certificate, server=False), server=False)
        server = TlsPipe(BusyPipe(far), tls_context(certificate, server=True), server=True)
        shaking = asyncio.create_task(server.handshake())
        await client.handshake()
        (message,) = buffers_of([1_000_000])
        writing = asyncio.create_task(client.write([message]))
        await asyncio.wait_for(shaking, 10)
        received = bytearray(len(message))
        await asyncio.wait_for(server.fill(memoryview(received)), 10)
        await writing
        assert received == message


@pytest.mark.usefixtures("certificate")
def test_the_bench_of_pipes_measures_every_way():
    result = CliRunner().invoke(main, ["--frames", "2", "--rounds", "1"], catch_exceptions=False)
    assert all(way in result.output for way in PictureWay)


async def test_what_is_there_is_read_without_waiting_for_more():
    async with connected() as (near, far):
        await near.write([memoryview(b"abc")])
        buffer = memoryview(bytearray(10))
        count = await asyncio.wait_for(far.read_some(buffer), 10)
        assert buffer[:count] == b"abc"


async def test_a_few_bytes_wake_the_reader_after_it_has_waited_for_many():
    async with connected() as (near, far):
        large = bytearray(1_000_000)
        filling = asyncio.create_task(far.fill(memoryview(large)))
        await settled()
        await near.write([memoryview(bytes(1_000_000))])
        await asyncio.wait_for(filling, 10)
        reading = asyncio.create_task(far.read_some(memoryview(bytearray(10))))
        await settled()
        await near.write([memoryview(b"a")])
        assert await asyncio.wait_for(reading, 10) == 1


async def test_the_end_is_nothing_to_read_and_an_error_in_the_middle():
    async with connected() as (near, far):
        await near.write([memoryview(b"abc")])
        near.finish()
        with pytest.raises(ConnectionResetError):
            await far.fill(memoryview(bytearray(4)))
        assert await far.read_some(memoryview(bytearray(4))) == 0
        await far.write([memoryview(b"answer")])
        assert await near.read_some(memoryview(bytearray(10))) == 6


async def test_closing_wakes_who_reads_and_who_writes():
    async with connected() as (near, far):
        reading = asyncio.create_task(near.read_some(memoryview(bytearray(1))))
        writing = asyncio.create_task(near.write(buffers_of([64 * 1024 * 1024])))
        await settled()
        near.close()
        near.close()
        assert await asyncio.wait_for(reading, 5) == 0
        with pytest.raises(OSError, match=r".+"):
            await asyncio.wait_for(writing, 5)
        far.close()
        with pytest.raises(OSError, match=r".+"):
            await far.fill(memoryview(bytearray(1)))


async def test_the_last_words_need_no_waiting_even_when_nobody_reads():
    async with connected() as (near, far):
        far.write_now([memoryview(b"refused")])
        assert await near.read_some(memoryview(bytearray(10))) == 7
        assert far.write_now([memoryview(bytes(100_000_000))]), "the rest is not written"
