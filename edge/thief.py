"""The thief's side: requests tasks when there is nothing to do, and fetches granted tiles directly from the victim."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from edge.tasks.lead_time import LeadTime
from shared.errors import DeepThingsError, ProtocolError
from shared.mqtt import topics
from shared.network.addresses import Address
from shared.network.backoff import Backoff
from shared.payloads.cluster import Grant, StealRequest
from shared.plan.payload_sizes import largest_pixels
from shared.security.data_security import ExpectedPeer
from shared.security.member_list import Role
from shared.tracing.spans import Part, tracer
from shared.wire.connection import Connection
from shared.wire.headers import AbsentHeader, TakeHeader, TaskRef, TileHeader

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.computing.plan_work import PlanWork
    from edge.computing.prepared_plans import PreparedPlans
    from edge.computing.strips import StripStore
    from shared.model.arrays import Pixels
    from shared.mqtt.bus import Bus
    from shared.wire.wire_traffic import WireTraffic

log = logging.getLogger(__name__)

MAX_STOLEN_TILES = 1
"""Stolen tiles that wait here for each one that runs: enough to hide the transfer, few enough to leave tasks to others.
"""

STEAL_RETRY_S = 5.0
"""A request without a grant is repeated after this time, in case the gateway lost it."""


@dataclass(frozen=True, slots=True)
class StolenTile:
    """A tile of a plan from its owner, fetched at `fetched_at`: pixels uint8 (h, w, 3). Its lease ends at `until`.

    Times are monotonic seconds.
    """

    work: PlanWork
    header: TileHeader
    pixels: Pixels
    victim: Address
    until: float
    fetch_bytes_per_s: float
    fetched_at: float = field(default_factory=time.monotonic)


class Thief:
    """Keeps up to MAX_STOLEN_TILES stolen tiles ready for each lane of the worker."""

    def __init__(
        self,
        node: str,
        plans: PreparedPlans,
        bus: Bus,
        traffic: WireTraffic,
        strips: StripStore,
        wake_worker: Callable[[], None],
    ) -> None:
        self._node = node
        self._plans = plans
        self._bus = bus
        self._traffic = traffic
        self._strips = strips
        self._wake_worker = wake_worker
        self._requested_at: float | None = None
        self._requested_idle = False
        self._kept_grant: Grant | None = None
        self._stolen: deque[StolenTile] = deque()
        self._fetching = False
        self._lead = LeadTime()
        self._grants: asyncio.Queue[Grant] = asyncio.Queue(maxsize=16)
        self._victims: dict[tuple[str, Address], Connection] = {}
        self._fetch_lock = asyncio.Lock()

    @property
    def lead_s(self) -> float:
        """Return the seconds that a task should be requested before there is nothing to do."""
        return self._lead.seconds

    @property
    def has_requested(self) -> bool:
        """Return whether a request may be open."""
        return self._requested_at is not None

    def forget_request(self) -> None:
        """Let the next `request_task` send a request again: the gateway may have lost the last one."""
        self._requested_at = None

    def request_task(self, missed: str | None = None, *, idle: bool = True) -> None:
        """Request a task from the gateway, unless enough tiles are here or a request is open.

        `missed`: the last victim, which had no task. `idle`: there is nothing to do now, not only soon.

        A node that becomes idle repeats an open request as `idle`: more tasks are for idle nodes. If a victim answered
        that it has tasks for this node once it is idle, its grant is used again instead of a request.
        """
        now = time.monotonic()
        waiting = (
            self._requested_at is not None and now - self._requested_at < STEAL_RETRY_S and self._requested_idle >= idle
        )
        epochs = self._plans.epochs
        if not epochs or waiting or len(self._stolen) >= self._room or self._fetching:
            return
        if self._kept_grant is not None and not idle:
            return
        self._requested_at, self._requested_idle = now, idle
        if self._kept_grant is not None:
            grant, self._kept_grant = self._kept_grant, None
            self.on_grant(grant)
            return
        request = StealRequest(node=self._node, epoch=epochs[0], also=epochs[1:], missed=missed, idle=idle)
        self._bus.publish_soon(topics.STEAL, request, self._node)

    @property
    def _room(self) -> int:
        """Return how many stolen tiles may wait here."""
        work = self._plans.preferred
        return MAX_STOLEN_TILES * (1 if work is None else work.lanes.count)

    def take_stolen(self) -> StolenTile | None:
        """Return the next stolen tile whose lease has not ended; None when there is none."""
        while self._stolen:
            stolen = self._stolen.popleft()
            if stolen.until > time.monotonic():
                return stolen
            log.debug("%s tile %s: its lease ended here", stolen.header.info.frame, stolen.header.tile)
        return None

    def on_grant(self, grant: Grant) -> None:
        """Queue a grant to be followed."""
        if not self._grants.full():
            self._grants.put_nowait(grant)

    async def run(self) -> None:
        """Follow grants until cancelled. A victim that fails costs one request and does not stop the thief."""
        backoff = Backoff(first_s=0.05, longest_s=2.0)
        try:
            while True:
                grant = await self._grants.get()
                missed, idle = None, self._requested_idle
                self._fetching = True
                try:
                    found = await self._follow_grant(grant)
                    backoff.reset()
                    missed = None if found else grant.victim
                except DeepThingsError as error:
                    log.info("stealing from %s failed: %s", grant.victim, error)
                    missed = grant.victim
                    await asyncio.sleep(backoff.next_s())
                except Exception:  # anything that a victim sends costs one request at most
                    log.exception("stealing from %s failed", grant.victim)
                    missed = grant.victim
                    await asyncio.sleep(backoff.next_s())
                finally:
                    self._fetching = False
                self._requested_at = None
                if missed is not None:
                    self.request_task(missed, idle=idle)
                self._wake_worker()
                if self._stolen:  # for the other lanes, which cannot request one each while another is fetched
                    self.request_task(idle=False)
        finally:
            for connection in self._victims.values():
                connection.close()

    async def _follow_grant(self, grant: Grant) -> bool:
        """Fetch one granted tile; return False when the victim has none left, even for an idle thief."""
        work = self._plans.get(grant.epoch)
        if work is None:
            return True
        victim = Address(grant.host, grant.port).seen_from(self._bus.broker)
        take = TakeHeader(
            thief=self._node, epoch=work.epoch, idle=self._requested_idle, reuses=work.reuses, fills_bars=True,
            reads_png=True,
        )  # fmt: skip
        stolen = await self._fetch_tile(grant.victim, victim, work, take)
        if isinstance(stolen, AbsentHeader):
            # Nothing for a busy thief, but for an idle one: this grant is used again, without a request, once idle.
            self._kept_grant = grant if stolen.later else None
            return stolen.later
        if stolen.header.reusing:
            await self._strips.prefetch_strips(work, stolen.header.info.frame, stolen.header.tile)
        self._stolen.append(stolen)
        if self._requested_at is not None:
            self._lead.add(time.monotonic() - self._requested_at)
        return True

    async def fetch_whole(self, stolen: StolenTile) -> StolenTile | None:
        """Fetch the same tile with its whole halo, because its strips are not available; None when it is finished."""
        task = TaskRef(frame=stolen.header.info.frame, tile=stolen.header.tile)
        take = TakeHeader(thief=self._node, epoch=stolen.work.epoch, again=task, fills_bars=True, reads_png=True)
        try:
            found = await self._fetch_tile(stolen.header.owner, stolen.victim, stolen.work, take)
        except DeepThingsError as error:
            log.debug("%s tile %s not received again: %s", task.frame, task.tile, error)
            return None
        return None if isinstance(found, AbsentHeader) else found

    async def _fetch_tile(
        self, owner: str, victim: Address, work: PlanWork, take: TakeHeader
    ) -> StolenTile | AbsentHeader:
        async with self._fetch_lock:  # the worker may fetch a whole tile while another one is fetched
            connection = await self._connection(owner, victim)
            begun = time.monotonic()
            header, payload = await connection.request(
                take, TileHeader, AbsentHeader, max_payload=largest_pixels(work.plan)
            )
            ended = time.monotonic()
        if isinstance(header, AbsentHeader):
            return header
        assert isinstance(header, TileHeader)
        # Before, its owner waited for the camera's picture, and coded it.
        begun = min(ended, begun + (header.pulled_ms + header.coded_ms) / 1e3)
        tracer.record(Part.FETCH, header.info.frame, begun, ended, header.tile)
        rate = payload.size / max(1e-6, ended - begun)
        decode = partial(work.decode_pixels, header, payload)
        pixels = await asyncio.to_thread(decode) if header.png else decode()
        if pixels is None or (header.reusing and take.again):
            connection.close()
            raise ProtocolError(f"{connection.peer} sent a tile that does not fit the plan")
        return StolenTile(work, header, pixels, victim, time.monotonic() + header.lease_s, rate)

    async def _connection(self, owner: str, address: Address) -> Connection:
        for known in [known for known, connection in self._victims.items() if connection.stale]:
            self._victims.pop(known).close()
        key = owner, address
        if key not in self._victims:
            self._victims[key] = await Connection.open(address, self._traffic, ExpectedPeer(Role.EDGE, owner))
        return self._victims[key]
