from __future__ import annotations

import asyncio
import contextlib

import pytest

from edge import gateway_link as gateway_link_module
from edge.gateway_link import GatewayLink
from shared.errors import PeerLostError
from shared.network.addresses import Address
from shared.payloads.cluster import FrameDone, TileDone
from shared.payloads.frames import FrameInfo, Outcome
from shared.security.data_security import THE_GATEWAY
from shared.wire.headers import FrameDoneHeader, LinkHeader, TileDoneHeader, TileHeader, WorkerRef
from shared.wire.wire_traffic import WireTraffic
from tests.settling import settled

GATEWAY, OTHER = Address("gateway", 7884), Address("other", 7884)
TILE = TileDone(frame="f", tile=3, worker="pi-2", compute_ms=1.0)
FRAME = FrameDone(frame="f", outcome=Outcome.PUBLISHED)
ASSIGNED = TileHeader(
    info=FrameInfo(frame="front-1", camera="front", number=1, captured_at=1.0, height=8, width=8), epoch=7,
    owner="pi-1", tile=0, height=8, width=8, attempt=1, workers=(WorkerRef(node="pi-2", host="pi-2", port=5000),),
)  # fmt: skip


class Gateway:
    """Opens connections in the place of a gateway, and says what a test lets it say."""

    def __init__(self):
        self.connections, self.refuses = [], 0

    async def open(self, address, _traffic, expected):
        assert expected == THE_GATEWAY
        if self.refuses:
            self.refuses -= 1
            raise PeerLostError(f"{address} cannot be reached")
        self.connections.append(Link(address))
        return self.connections[-1]


class Link:
    def __init__(self, address):
        self.address, self.received, self.closed = address, [], False
        self.says: asyncio.Queue[object] = asyncio.Queue()

    async def send(self, header):
        self.received.append(header)

    async def expect(self, *kinds, max_payload):
        assert (kinds, max_payload) == ((TileDoneHeader, FrameDoneHeader, TileHeader), 0)
        said = await self.says.get()
        if isinstance(said, Exception):
            raise said
        return said, None

    def close(self):
        self.closed = True


class Bench:
    def __init__(self, monkeypatch):
        self.gateway, self.heard, self.pauses = Gateway(), [], 0
        monkeypatch.setattr(gateway_link_module, "Connection", self.gateway)
        monkeypatch.setattr(gateway_link_module.Backoff, "next_s", self.pause)
        self.link = GatewayLink(
            "pi-1",
            WireTraffic(),
            self.heard.append,
            self.heard.append,
            self.heard.append,
            lambda: self.heard.append("opened"),
        )

    def pause(self, *_):
        self.pauses += 1
        return 0.0

    async def follow(self, address):
        self.link.follow_gateway(address)
        await settled()
        return self.gateway.connections[-1] if self.gateway.connections else None


@pytest.fixture
async def bench(monkeypatch):
    made = Bench(monkeypatch)
    running = asyncio.create_task(made.link.run())
    await settled()
    yield made
    assert not running.done()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert all(connection.closed for connection in made.gateway.connections)


async def test_without_a_gateway_there_is_no_connection(bench):
    assert await bench.follow(None) is None
    assert bench.heard == []


async def test_confirmations_are_handed_on_as_they_come(bench):
    connection = await bench.follow(GATEWAY)
    assert (connection.address, connection.received) == (GATEWAY, [LinkHeader(node="pi-1")])
    for said in (TileDoneHeader(done=TILE), FrameDoneHeader(done=FRAME), ASSIGNED):
        connection.says.put_nowait(said)
    await settled()
    assert bench.heard == ["opened", TILE, FRAME, ASSIGNED]


async def test_the_same_gateway_again_keeps_its_connection(bench):
    first = await bench.follow(GATEWAY)
    assert await bench.follow(GATEWAY) is first
    assert not first.closed


async def test_another_gateway_takes_the_place_of_the_one_before(bench):
    first = await bench.follow(GATEWAY)
    second = await bench.follow(OTHER)
    assert (first.closed, second.address, second.closed) == (True, OTHER, False)
    assert await bench.follow(None) is second
    assert second.closed
    assert bench.heard == ["opened"] * 2


async def test_a_lost_connection_is_opened_again_and_what_was_missed_is_requested(bench, caplog):
    caplog.set_level("DEBUG")
    first = await bench.follow(GATEWAY)
    first.says.put_nowait(PeerLostError("it went away"))
    await settled()
    second = bench.gateway.connections[-1]
    assert (first.closed, second is first) == (True, False)
    assert bench.heard == ["opened"] * 2
    assert "confirmations come by MQTT meanwhile: it went away" in caplog.text
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []  # nothing is lost by it


async def test_a_gateway_that_cannot_be_reached_is_tried_again_after_pauses(bench):
    bench.gateway.refuses = 3
    connection = await bench.follow(GATEWAY)
    assert (bench.pauses, connection.received) == (3, [LinkHeader(node="pi-1")])
