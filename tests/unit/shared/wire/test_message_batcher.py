from __future__ import annotations

import asyncio

import pytest

from shared.errors import PeerLostError
from shared.wire.camera_headers import OfferHeader, ReadyHeader
from shared.wire.message_batcher import MessageBatcher
from tests.settling import settled

OFFER, READY = OfferHeader(), ReadyHeader()


class Peer:
    """What a connection has sent; it may take nothing for a while, or be lost."""

    def __init__(self):
        self.sent, self.takes, self.lost = [], asyncio.Event(), False
        self.takes.set()

    def send_now(self, headers):
        if self.lost:
            raise PeerLostError("it went away")
        if self.takes.is_set():
            self.sent.append(headers)
        return self.takes.is_set()

    async def send_together(self, headers):
        await self.takes.wait()
        self.send_now(headers)


@pytest.fixture
async def batcher():
    made = MessageBatcher(Peer())
    yield made
    made.close()


async def test_messages_of_a_turn_go_together_and_in_order(batcher):
    batcher.send_soon(OFFER)
    batcher.send_soon(READY)
    assert len(batcher) == 2
    await settled()
    batcher.send_soon(READY)
    await settled()
    assert (batcher._connection.sent, len(batcher)) == ([[OFFER, READY], [READY]], 0)


async def test_what_comes_while_the_peer_takes_nothing_goes_together_afterwards(batcher):
    peer = batcher._connection
    peer.takes.clear()
    for header in (OFFER, READY, READY):
        batcher.send_soon(header)
        await settled()
    assert len(batcher) == 2  # the first is being sent
    peer.takes.set()
    await settled()
    assert peer.sent == [[OFFER], [READY, READY]]
    batcher.send_soon(OFFER)
    await settled()
    assert (peer.sent[2:], batcher._sender) == ([[OFFER]], None)


async def test_a_message_that_has_time_goes_with_the_next_one(batcher):
    batcher.send_within(OFFER, 1000.0)
    await settled()
    assert batcher._connection.sent == []
    batcher.send_soon(READY)
    await settled()
    assert batcher._connection.sent == [[OFFER, READY]]
    assert batcher._later is None


async def test_a_message_that_has_time_goes_alone_when_that_is_over(batcher):
    batcher.send_within(OFFER, 0.01)
    batcher.send_within(READY, 1000.0)
    async with asyncio.timeout(10):
        while len(batcher):  # noqa: ASYNC110  (nothing tells when a timer has run)
            await asyncio.sleep(0.01)
    await settled()
    assert batcher._connection.sent == [[OFFER, READY]]


async def test_waiting_sends_what_has_time_and_is_limited(batcher):
    peer = batcher._connection
    await batcher.wait_sent()
    batcher.send_within(OFFER, 1000.0)
    peer.takes.clear()
    await batcher.wait_sent(0.01)
    assert peer.sent == []
    peer.takes.set()
    await batcher.wait_sent()
    assert peer.sent == [[OFFER]]


async def test_a_lost_peer_is_no_error_here(batcher):
    peer = batcher._connection
    peer.lost = True
    batcher.send_soon(OFFER)
    await batcher.wait_sent()
    peer.takes.clear()
    peer.lost = False
    batcher.send_soon(OFFER)
    await settled()
    peer.lost = True
    peer.takes.set()
    await batcher.wait_sent()
    assert (peer.sent, batcher._sender) == ([], None)


async def test_nothing_is_sent_after_the_end(batcher):
    batcher.send_within(OFFER, 0.0)
    batcher.close()
    batcher._connection.takes.clear()
    batcher.send_soon(READY)
    batcher.close()
    batcher._connection.takes.set()
    await settled()
    assert batcher._connection.sent == []
