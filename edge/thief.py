"""The thief's side: ask when there is nothing to do, pull what is granted straight from the victim."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.errors import DeepThingsError, ProtocolError
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.network.backoff import Backoff
from shared.payloads.cluster import Grant, StealRequest
from shared.wire.connection import Connection, Traffic
from shared.wire.headers import Absent, Take, TaskRef, Tile

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.computing.plan_work import PlanWork
    from edge.computing.strips import StripStore
    from shared.model.letterbox import Pixels
    from shared.mqtt.bus import Bus

log = logging.getLogger(__name__)

MAX_STOLEN_TILES = 1
"""Stolen tiles that wait here while one runs: enough to hide the transfer, few enough to leave work to others."""

STEAL_RETRY_S = 5.0
"""A request that was not granted for so long is repeated, in case the gateway lost it."""


@dataclass(frozen=True, slots=True)
class StolenTile:
    """A tile pulled from its owner: pixels uint8 (h, w, 3), worth running until `until` (monotonic)."""

    header: Tile
    pixels: Pixels
    victim: Address
    until: float
    fetch_bytes_per_s: float


class Thief:
    """Keeps up to MAX_STOLEN_TILES stolen tiles ready for the worker."""

    def __init__(
        self, node: str, bus: Bus, traffic: Traffic, strips: StripStore, wake_worker: Callable[[], None]
    ) -> None:
        self._node = node
        self._bus = bus
        self._traffic = traffic
        self._strips = strips
        self._wake_worker = wake_worker
        self._work: PlanWork | None = None
        self._asked_at: float | None = None
        self._asked_idle = False
        self._kept: Grant | None = None
        self._stolen: deque[StolenTile] = deque()
        self._pulling = False
        self._grants: asyncio.Queue[Grant] = asyncio.Queue(maxsize=16)
        self._victims: dict[Address, Connection] = {}
        self._asking = asyncio.Lock()

    def adopt_plan(self, work: PlanWork) -> None:
        """Follow another plan; what was stolen and requested under the earlier one is forgotten."""
        self._work = work
        self._stolen.clear()
        self._asked_at = self._kept = None

    def forget_request(self) -> None:
        """The gateway may have forgotten our request: the next `ask` sends it again."""
        self._asked_at = None

    def request_task(self, missed: str | None = None, *, idle: bool = True) -> None:
        """Ask the gateway for work, unless there is enough here or a request is waiting already.

        Who was asking ahead and has become `idle` says so: for idle ones there may be more. Where a victim has told us
        to come back then, we do, without asking the gateway.
        """
        now = time.monotonic()
        waiting = self._asked_at is not None and now - self._asked_at < STEAL_RETRY_S and self._asked_idle >= idle
        if self._work is None or waiting or len(self._stolen) >= MAX_STOLEN_TILES or self._pulling:
            return
        if self._kept is not None and not idle:
            return
        self._asked_at, self._asked_idle = now, idle
        if self._kept is not None:
            grant, self._kept = self._kept, None
            self.on_grant(grant)
            return
        request = StealRequest(node=self._node, epoch=self._work.epoch, missed=missed, idle=idle)
        self._bus.post(topics.STEAL, request, self._node)

    def take_stolen(self) -> StolenTile | None:
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
                missed, idle = None, self._asked_idle
                self._pulling = True
                try:
                    found = await self._pull(grant)
                    backoff.reset()
                    missed = None if found else grant.victim
                except DeepThingsError as error:
                    log.info("stealing from %s failed: %s", grant.victim, error)
                    missed = grant.victim
                    await asyncio.sleep(backoff.next_s())
                except Exception:  # whatever a victim sends, it costs one request
                    log.exception("stealing from %s failed", grant.victim)
                    missed = grant.victim
                    await asyncio.sleep(backoff.next_s())
                finally:
                    self._pulling = False
                self._asked_at = None
                if missed is not None:
                    self.request_task(missed, idle=idle)
                self._wake_worker()
        finally:
            for connection in self._victims.values():
                connection.close()

    async def _pull(self, grant: Grant) -> bool:
        """Pull one tile; False when nothing is left there, or will be when we are idle."""
        work = self._work
        if work is None or grant.epoch != work.epoch:
            return True
        victim = Address(grant.host, grant.port).seen_from(self._bus.broker)
        take = Take(thief=self._node, epoch=work.epoch, idle=self._asked_idle, reuses=work.reuses)
        stolen = await self._fetch_tile(victim, work, take)
        if isinstance(stolen, Absent):
            self._kept = grant if stolen.later else None
            return stolen.later
        if stolen.header.reusing:
            await self._strips.prefetch_strips(work, stolen.header.info.frame, stolen.header.tile)
        self._stolen.append(stolen)
        return True

    async def fetch_whole(self, work: PlanWork, stolen: StolenTile) -> StolenTile | None:
        """The same tile with its whole halo, as its strips are not to be had; None when it is finished."""
        task = TaskRef(frame=stolen.header.info.frame, tile=stolen.header.tile)
        again = Take(thief=self._node, epoch=work.epoch, again=task)
        try:
            found = await self._fetch_tile(stolen.victim, work, again)
        except DeepThingsError as error:
            log.debug("%s tile %s not had again: %s", task.frame, task.tile, error)
            return None
        return None if isinstance(found, Absent) else found

    async def _fetch_tile(self, victim: Address, work: PlanWork, take: Take) -> StolenTile | Absent:
        async with self._asking:  # the worker asks for a tile once more while another one is pulled
            connection = await self._connection(victim)
            begun = time.monotonic()
            header, payload = await connection.ask(take, Tile, Absent)
            took_s = time.monotonic() - begun
        if isinstance(header, Absent):
            return header
        assert isinstance(header, Tile)
        rate = payload.size / max(1e-6, took_s)
        pixels = work.decode_pixels(header, payload)
        if pixels is None or (header.reusing and take.again):
            connection.close()
            raise ProtocolError(f"{connection.peer} sent a tile that is not of the plan")
        return StolenTile(header, pixels, victim, time.monotonic() + header.lease_s, rate)

    async def _connection(self, address: Address) -> Connection:
        for known in [known for known, connection in self._victims.items() if connection.closed]:
            del self._victims[known]
        if address not in self._victims:
            self._victims[address] = await Connection.open(address, self._traffic)
        return self._victims[address]
