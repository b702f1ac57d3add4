"""The thief's side: ask when there is nothing to do, pull what is granted straight from the victim."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import topics
from shared.addresses import Address
from shared.backoff import Backoff
from shared.errors import DeepThingsError, ProtocolError
from shared.messages import Grant, StealRequest
from shared.wire.connection import Connection, Traffic
from shared.wire.headers import Absent, Take, Tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.work import Work
    from shared.bus import Bus
    from shared.letterbox import Pixels

log = logging.getLogger(__name__)

PREFETCH = 1
"""Stolen tiles that wait here while one runs: enough to hide the transfer, few enough to leave work to others."""

ASK_AGAIN_S = 5.0
"""A request that was not granted for so long is repeated, in case the gateway lost it."""


@dataclass(frozen=True, slots=True)
class StolenTile:
    """A tile pulled from its owner: pixels uint8 (h, w, 3), worth running until `until` (monotonic)."""

    header: Tile
    pixels: Pixels
    until: float


class Thief:
    """Keeps up to PREFETCH stolen tiles ready for the worker."""

    def __init__(self, node: str, bus: Bus, traffic: Traffic, wake_worker: Callable[[], None]) -> None:
        self._node = node
        self._bus = bus
        self._traffic = traffic
        self._wake_worker = wake_worker
        self._work: Work | None = None
        self._asked_at: float | None = None
        self._stolen: deque[StolenTile] = deque()
        self._grants: asyncio.Queue[Grant] = asyncio.Queue(maxsize=16)
        self._victims: dict[Address, Connection] = {}

    def adopt(self, work: Work) -> None:
        """A new plan: forget what was stolen and asked under the old one."""
        self._work = work
        self._stolen.clear()
        self._asked_at = None

    def forget_request(self) -> None:
        """The gateway may have forgotten our request: the next `ask` sends it again."""
        self._asked_at = None

    def ask(self, missed: str | None = None) -> None:
        """Ask the gateway for work, unless there is enough here or a request is waiting already."""
        now = time.monotonic()
        waiting = self._asked_at is not None and now - self._asked_at < ASK_AGAIN_S
        if self._work is None or waiting or len(self._stolen) >= PREFETCH:
            return
        self._asked_at = now
        request = StealRequest(node=self._node, epoch=self._work.epoch, missed=missed)
        self._bus.post(topics.STEAL, request, self._node)

    def take(self) -> StolenTile | None:
        """The next stolen tile that is still worth running."""
        while self._stolen:
            stolen = self._stolen.popleft()
            if stolen.until > time.monotonic():
                return stolen
            log.debug("%s tile %s: its lease ended here", stolen.header.info.frame, stolen.header.tile)
        return None

    def on_grant(self, grant: Grant) -> None:
        if not self._grants.full():
            self._grants.put_nowait(grant)

    async def run(self) -> None:
        """Follow grants until cancelled. A victim that fails costs one request, not the thief."""
        backoff = Backoff(first_s=0.05, longest_s=2.0)
        try:
            while True:
                grant = await self._grants.get()
                missed = None
                try:
                    found = await self._pull(grant)
                    backoff.reset()
                    missed = None if found else grant.victim
                except DeepThingsError as error:
                    log.info("stealing from %s failed: %s", grant.victim, error)
                    missed = grant.victim
                    await asyncio.sleep(backoff.next_s())
                self._asked_at = None
                if missed is not None:
                    self.ask(missed)
                self._wake_worker()
        finally:
            for connection in self._victims.values():
                connection.close()

    async def _pull(self, grant: Grant) -> bool:
        """Pull one tile; False when nothing is left there."""
        work = self._work
        if work is None or grant.epoch != work.epoch:
            return True
        connection = await self._connection(Address(grant.host, grant.port).seen_from(self._bus.broker))
        header, payload = await connection.ask(Take(thief=self._node, epoch=work.epoch), Tile, Absent)
        if isinstance(header, Absent):
            return False
        assert isinstance(header, Tile)
        shape = (header.height, header.width, 3)
        if (
            header.tile >= work.tile_count
            or shape[:2] != _size(work, header.tile)
            or payload.size != shape[0] * shape[1] * 3
        ):
            connection.close()
            raise ProtocolError(f"{grant.victim} sent a tile that is not of the plan")
        self._stolen.append(StolenTile(header, payload.reshape(shape), time.monotonic() + header.lease_s))
        return True

    async def _connection(self, address: Address) -> Connection:
        for known in [known for known, connection in self._victims.items() if connection.closed]:
            del self._victims[known]
        if address not in self._victims:
            self._victims[address] = await Connection.open(address, self._traffic)
        return self._victims[address]


def _size(work: Work, tile: int) -> tuple[int, int]:
    region = work.region(tile)
    return region.height, region.width
