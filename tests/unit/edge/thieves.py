"""A thief whose victim answers with what a test gives it."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np

from edge import thief as thief_module
from edge.thief import Thief
from shared.errors import PeerLostError
from shared.ftp.grid import Grid
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.payloads.cluster import Grant, StealRequest
from shared.plan.payload_sizes import largest_pixels
from shared.security.data_security import ExpectedPeer
from shared.security.member_list import Role
from shared.wire.headers import AbsentHeader, TileHeader
from shared.wire.wire_traffic import WireTraffic
from tests.settling import settled
from tests.unit.edge.works import BROKER, frame_info, plans_of, renumbered, reusing_work

_, WORK = reusing_work(Grid(3, 3))
NEWER = renumbered(WORK, WORK.epoch + 1)
VICTIM = Address("victim", 5000)
GRANT = Grant(epoch=WORK.epoch, victim="victim", host="victim", port=5000)


class Bus:
    broker = BROKER

    def __init__(self):
        self.requests, self.epochs = [], []

    def publish_soon(self, topic, message, name):
        assert (topic, name) == (topics.STEAL, "me")
        self.requests.append((message.missed, message.idle))
        self.epochs.append((message.epoch, *message.also))
        StealRequest.model_validate_json(message.model_dump_json())


class Strips:
    def __init__(self):
        self.prefetched = []

    async def prefetch_strips(self, _work, frame, tile):
        self.prefetched.append((frame, tile))


class Victim:
    """Answers with the tiles that it was given, one question at a time, in the place of a connection.

    An Absent among them is its answer in their place, as it is when none are left.
    """

    def __init__(self):
        self.tiles = []
        self.asked = []
        self.closed = False
        self.lost = False
        self.epoch = WORK.epoch
        self.peer = str(VICTIM)
        self.answering = asyncio.Event()
        self.answering.set()
        self._busy = False

    @property
    def stale(self):
        return self.closed

    async def open(self, address, _traffic, expected):
        assert (address, expected) == (VICTIM, ExpectedPeer(Role.EDGE, "victim"))
        if self.lost:
            raise PeerLostError(f"{address} cannot be reached")
        self.closed = False
        return self

    async def request(self, take, *kinds, max_payload):
        assert kinds == (TileHeader, AbsentHeader)
        assert max_payload == largest_pixels(WORK.plan)
        assert not self._busy, "a second question before the first was answered"
        self._busy = True
        self.asked.append(take)
        await self.answering.wait()
        self._busy = False
        if take.again is not None:
            return self.answer(take.again.tile)
        found = self.tiles.pop(0) if self.tiles else AbsentHeader()
        return (
            (found, np.empty(0, np.uint8))
            if isinstance(found, AbsentHeader)
            else self.answer(*found[:2], **dict(*found[2:]))
        )

    def answer(self, tile, reusing=False, /, **change):
        region = WORK.tile(tile, reusing=reusing).inputs[0]
        header = TileHeader(
            info=frame_info(), epoch=self.epoch, owner="victim", tile=tile, height=region.height, width=region.width,
            lease_s=100.0, reusing=reusing,
        )  # fmt: skip
        return header.model_copy(update=change), np.zeros(region.area * 3, np.uint8)

    def close(self):
        self.closed = True


class Bench:
    def __init__(self, monkeypatch):
        self.bus, self.strips, self.victim, self.woken = Bus(), Strips(), Victim(), 0
        monkeypatch.setattr(thief_module, "Connection", self.victim)
        self.plans = plans_of(WORK)
        self.thief = Thief("me", self.plans, self.bus, WireTraffic(), self.strips, self.wake)

    def wake(self):
        self.woken += 1

    async def grant(self, grant=GRANT):
        self.thief.on_grant(grant)
        await self.settle()

    async def settle(self):
        await settled()


@contextlib.asynccontextmanager
async def stealing(monkeypatch):
    """A bench whose thief runs."""
    made = Bench(monkeypatch)
    running = asyncio.create_task(made.thief.run())
    await made.settle()
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
