"""Delivering on real sockets: an order for each address, and nobody waits for a dead one."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import numpy as np

from shared.errors import PeerLostError
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.frames import FrameInfo
from shared.wire import connection as connection_module
from shared.wire.camera_headers import FrameHeader
from shared.wire.courier import MAX_BYTES_AT_ONCE, Courier
from shared.wire.headers import TakeHeader
from shared.wire.server import DataServer
from shared.wire.wire_traffic import WireTraffic
from tests.settling import settled

CAP = 8


class Peer:
    """A server that notes what arrives: numbers that were sent as epochs, and payloads."""

    def __init__(self):
        self.epochs = []
        self.payloads = []
        self.connections = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self._arrived = asyncio.Event()
        self._server = DataServer(self._serve, Address(LOOPBACK, 0), WireTraffic())
        self.address = self._server.address

    async def _serve(self, connection, header, payload):
        self.connections += 1
        self._arrived.set()
        while True:
            await self.reading.wait()
            if isinstance(header, TakeHeader):
                self.epochs.append(header.epoch)
            else:
                self.payloads.append(payload)
            self._arrived.set()
            header, payload = await connection.receive()

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                self._arrived.clear()
                await self._arrived.wait()

    async def run(self):
        await self._server.run()


@contextlib.asynccontextmanager
async def peers(count):
    made = [Peer() for _ in range(count)]
    running = [asyncio.create_task(peer.run()) for peer in made]
    try:
        yield made
    finally:
        await ended(*running)


@contextlib.asynccontextmanager
async def courier_of(lost=lambda _: None, cap=CAP):
    courier = Courier(WireTraffic(), cap, lost)
    running = asyncio.create_task(courier.run())
    try:
        yield courier
    finally:
        await ended(running)


async def ended(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def nobody():
    """An address where nobody listens."""
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        yield Address(*held.getsockname())


@contextlib.contextmanager
def frozen():
    """An address where connections are accepted by the kernel, as far as it goes, and nobody ever reads."""
    with socket.socket() as held:
        held.bind((LOOPBACK, 0))
        held.listen(1)
        yield Address(*held.getsockname())


def number(epoch):
    return TakeHeader(thief="edge-1", epoch=epoch), []


def picture(size):
    info = FrameInfo(frame="front-1", camera="front", number=1, captured_at=1.0, height=1, width=1)
    return FrameHeader(info=info), [np.zeros(size, np.uint8).data]


async def test_messages_to_one_address_arrive_in_their_order_over_one_connection():
    async with peers(1) as (peer,), courier_of() as courier:
        for epoch in range(100):
            await courier.send(peer.address, number(epoch))
        await peer.until(lambda: len(peer.epochs) == 100)
    assert peer.epochs == list(range(100))
    assert peer.connections == 1


async def test_a_payload_arrives_whole():
    data = np.random.default_rng(1).standard_normal((3, 100, 70)).astype(np.float32)
    async with peers(1) as (peer,), courier_of() as courier:
        header, _ = picture(0)
        await courier.send(peer.address, (header, [data[:1].data, data[1:].data]))
        await peer.until(lambda: peer.payloads)
    assert np.array_equal(peer.payloads[0].view(np.float32).reshape(data.shape), data)


async def test_a_dead_address_delays_nobody_else():
    async with peers(1) as (peer,), courier_of() as courier:
        with nobody() as dead, frozen() as deaf:
            for epoch in range(20):
                courier.post(dead, number(epoch))
                courier.post(deaf, picture(2**20))
                await courier.send(peer.address, number(epoch))
            await peer.until(lambda: len(peer.epochs) == 20)
    assert peer.epochs == list(range(20))


async def test_whoever_sent_to_a_dead_address_is_told(caplog):
    told = asyncio.Queue()
    async with courier_of(told.put_nowait) as courier:
        with nobody() as dead:
            await courier.send(dead, number(1))
            assert await asyncio.wait_for(told.get(), 10) == dead
            await courier.send(dead, number(2))
            assert await asyncio.wait_for(told.get(), 10) == dead
    assert told.empty()
    assert f"take not delivered: {dead} cannot be reached" in caplog.text


async def test_a_peer_that_stops_reading_is_told_as_lost(monkeypatch):
    monkeypatch.setattr(connection_module, "MESSAGE_TIMEOUT_S", 0.2)
    monkeypatch.setattr(connection_module, "SLOWEST_LINK_BYTES_PER_S", 2**40)
    told = asyncio.Queue()
    async with courier_of(told.put_nowait) as courier:
        with frozen() as deaf:
            await courier.send(deaf, picture(32 * 2**20))
            assert await asyncio.wait_for(told.get(), 10) == deaf


async def test_a_message_whose_end_is_never_read_is_told_as_lost(monkeypatch):
    """Its begin fitted into the kernel's buffer, so that it did not wait in the queue."""
    monkeypatch.setattr(connection_module, "MESSAGE_TIMEOUT_S", 0.1)
    told = asyncio.Queue()
    async with courier_of(told.put_nowait) as courier:
        with frozen() as deaf:
            await courier.send(deaf, number(1))
            for _ in range(100):  # until the kernel cannot hold more
                await asyncio.sleep(0.3)
                if courier._routes[deaf]._connection.closed:
                    break
                await courier.send(deaf, picture(MAX_BYTES_AT_ONCE))
            assert told.get_nowait() == deaf
    assert told.empty()


async def test_nobody_is_told_of_an_address_that_is_dropped_while_a_message_is_sent():
    """Another member may have that address now."""
    told = asyncio.Queue()
    async with courier_of(told.put_nowait) as courier:
        with frozen() as deaf:
            await courier.send(deaf, number(1))
            await asyncio.sleep(0.3)
            connection = courier._routes[deaf]._connection
            while connection.finishing is None:  # until the kernel cannot hold more
                await courier.send(deaf, picture(MAX_BYTES_AT_ONCE))
            courier.drop_address(deaf)
            assert not await asyncio.wait_for(connection.finishing, 10)
            await settled()
    assert told.empty()


async def test_a_peer_that_closes_its_connection_gets_the_rest_over_another():
    async with courier_of() as courier:
        arrived = asyncio.Queue()

        async def once(connection, header, _payload):
            await arrived.put(header.epoch)
            connection.close()

        server = DataServer(once, Address(LOOPBACK, 0), WireTraffic())
        running = asyncio.create_task(server.run())
        epoch, seen = 0, set()
        async with asyncio.timeout(10):
            while len(seen) < 3:  # one that is sent before the end is noticed is lost: leases make up for it
                await courier.send(server.address, number(epoch))
                epoch += 1
                with contextlib.suppress(TimeoutError):
                    seen.add(await asyncio.wait_for(arrived.get(), 0.1))
        await ended(running)
    assert seen <= set(range(epoch))


async def test_posting_says_when_too_many_wait():
    async with peers(1) as (peer,), courier_of() as courier:
        posted = [courier.post(peer.address, number(epoch)) for epoch in range(CAP + 2)]
        assert posted == [True] * CAP + [False] * 2
        await peer.until(lambda: len(peer.epochs) == CAP)
        assert courier.post(peer.address, number(99))
        await peer.until(lambda: len(peer.epochs) == CAP + 1)
    assert peer.epochs == [*range(CAP), 99]


async def test_too_many_for_one_address_are_not_too_many_for_another():
    async with peers(2) as (one, other), courier_of() as courier:
        while courier.post(one.address, number(1)):
            pass
        assert courier.post(other.address, number(2))
        await other.until(lambda: other.epochs)
    assert other.epochs == [2]


async def test_sending_waits_while_too_many_wait():
    async with peers(1) as (peer,), courier_of(cap=1) as courier:
        peer.reading.clear()
        large = picture(32 * 2**20)
        await courier.send(peer.address, large)
        await courier.send(peer.address, large)
        await peer.until(lambda: peer.connections)
        await courier.send(peer.address, number(1))
        sending = asyncio.create_task(courier.send(peer.address, number(2)))
        await settled()
        assert not sending.done()
        peer.reading.set()
        await asyncio.wait_for(sending, 10)
        await peer.until(lambda: len(peer.epochs) == 2)
    assert peer.epochs == [1, 2]


async def test_what_waits_for_one_that_is_gone_is_dropped_and_the_next_begins_anew():
    async with peers(1) as (peer,), courier_of() as courier:
        for epoch in range(CAP):
            courier.post(peer.address, number(epoch))
        courier.drop_address(peer.address)
        courier.drop_address(peer.address)
        await courier.send(peer.address, number(99))
        await peer.until(lambda: peer.epochs)
    assert peer.epochs == [99]


async def test_at_the_end_all_connections_are_closed():
    closed = asyncio.Event()

    async def until_the_end(connection, _header, _payload):
        with contextlib.suppress(PeerLostError):
            await connection.receive()
        closed.set()

    server = DataServer(until_the_end, Address(LOOPBACK, 0), WireTraffic())
    running = asyncio.create_task(server.run())
    async with courier_of() as courier:
        await courier.send(server.address, number(1))
        async with peers(1) as (peer,):
            await courier.send(peer.address, number(1))
            await peer.until(lambda: peer.epochs)
        assert not closed.is_set()
    await asyncio.wait_for(closed.wait(), 10)
    await ended(running)
    assert not [task for task in asyncio.all_tasks() if "_Route" in repr(task)]
