from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.cluster import confirmations as confirmations_module
from gateway.cluster.confirmations import Confirmations
from shared.errors import PeerLostError
from shared.mqtt import topics
from shared.payloads.cluster import FrameDone, TileDone
from shared.payloads.frames import Outcome
from shared.wire.headers import FrameDoneHeader, TileDoneHeader
from tests.settling import settled
from tests.unit.edge.works import shared_tile, whole_work

TILE = TileDone(frame="f", tile=3, worker="pi-2", compute_ms=1.0)
FRAME = FrameDone(frame="f", outcome=Outcome.PUBLISHED)


class Bus:
    def __init__(self):
        self.said = []

    def publish_soon(self, topic, message, name):
        self.said.append((topic, message, name))


class Link:
    """The connection that an edge has opened; it may be lost, or not take any more."""

    def __init__(self):
        self.sent = []
        self.lost = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.fails = False

    async def receive(self):
        await self.lost.wait()
        raise PeerLostError("it went away")

    def send_now(self, headers):
        if self.fails:
            self.lost.set()
            raise PeerLostError("it went away")
        if self.open.is_set():
            self.sent.append(headers)
        return self.open.is_set()

    async def send_together(self, headers):
        await self.open.wait()
        self.send_now(headers)


@contextlib.asynccontextmanager
async def linked(confirmations, link, node="pi-1"):
    serving = asyncio.create_task(confirmations.serve(link, node))
    await settled()
    yield serving
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def confirmations(bus):
    return Confirmations(bus)


async def test_without_a_link_confirmations_go_by_mqtt(confirmations, bus):
    confirmations.confirm_tile("pi-1", TILE)
    confirmations.confirm_frame("pi-1", FRAME)
    assert bus.said == [(topics.RESULTS, TILE, "pi-1"), (topics.OUTCOMES, FRAME, "pi-1")]


async def test_an_edge_with_a_link_gets_its_own_confirmations_in_order_and_none_by_mqtt(confirmations, bus):
    link = Link()
    async with linked(confirmations, link):
        confirmations.confirm_tile("pi-1", TILE)
        confirmations.confirm_frame("pi-1", FRAME)
        confirmations.confirm_frame("pi-2", FRAME)
        await settled()
    assert link.sent == [[TileDoneHeader(done=TILE), FrameDoneHeader(done=FRAME)]], "they go together"
    assert bus.said == [(topics.OUTCOMES, FRAME, "pi-2")]


async def test_an_owner_is_told_the_workers_of_a_tile_by_its_link_only(confirmations, bus):
    tile = shared_tile(whole_work(), 0, ["pi-2"])
    link = Link()
    assert not confirmations.assign_tile("pi-1", tile)
    async with linked(confirmations, link):
        assert confirmations.assign_tile("pi-1", tile)
        await settled()
    assert link.sent == [[tile]]
    assert bus.said == []


async def test_after_the_loss_of_a_link_confirmations_go_by_mqtt(confirmations, bus):
    link = Link()
    async with linked(confirmations, link) as serving:
        link.lost.set()
        await settled()
        assert serving.done()
        assert serving.exception() is None
    confirmations.confirm_frame("pi-1", FRAME)
    assert bus.said == [(topics.OUTCOMES, FRAME, "pi-1")]


async def test_a_link_that_fails_while_something_is_sent_ends_quietly(confirmations, bus):
    link = Link()
    link.fails = True
    async with linked(confirmations, link) as serving:
        confirmations.confirm_tile("pi-1", TILE)
        await settled()
        assert serving.done()
        assert serving.exception() is None
    confirmations.confirm_tile("pi-1", TILE)
    assert bus.said == [(topics.RESULTS, TILE, "pi-1")]


async def test_a_newer_link_takes_the_place_of_an_older_which_then_changes_nothing(confirmations, bus):
    older, newer = Link(), Link()
    async with linked(confirmations, older), linked(confirmations, newer):
        older.lost.set()
        await settled()
        confirmations.confirm_frame("pi-1", FRAME)
        await settled()
        assert (older.sent, newer.sent, bus.said) == ([], [[FrameDoneHeader(done=FRAME)]], [])


async def test_more_than_an_edge_takes_goes_by_mqtt(confirmations, bus, monkeypatch):
    monkeypatch.setattr(confirmations_module, "MAX_UNSENT_CONFIRMATIONS", 2)
    link = Link()
    link.open.clear()
    async with linked(confirmations, link):
        confirmations.confirm_frame("pi-1", FRAME)
        await settled()  # this one is being sent
        for _ in range(3):
            confirmations.confirm_tile("pi-1", TILE)
        assert len(bus.said) == 1
        link.open.set()
        await settled()
        assert link.sent == [[FrameDoneHeader(done=FRAME)], 2 * [TileDoneHeader(done=TILE)]]


async def test_a_confirmation_is_sent_when_it_was_waited_for(confirmations):
    link = Link()
    async with linked(confirmations, link):
        confirmations.confirm_frame("pi-1", FRAME)
        await confirmations.wait_sent("pi-1")
        assert link.sent == [[FrameDoneHeader(done=FRAME)]]


async def test_nobody_waits_long_for_an_edge_that_takes_nothing_or_is_not_linked(confirmations, monkeypatch):
    monkeypatch.setattr(confirmations_module, "SENDING_TIMEOUT_S", 0.01)
    await confirmations.wait_sent("pi-1")
    link = Link()
    link.open.clear()
    async with linked(confirmations, link):
        confirmations.confirm_frame("pi-1", FRAME)
        await confirmations.wait_sent("pi-1")
        assert link.sent == []
