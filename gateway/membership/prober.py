"""Tries to connect to every edge that joins, and reports which devices cannot reach each other."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.membership.reachability import Contacts, contact_problems
from shared.errors import DeepThingsError
from shared.logs.rate_limit import RateLimit
from shared.security.data_security import ExpectedPeer
from shared.security.member_list import Role
from shared.wire.connection import Connection
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.membership.members import Membership
    from shared.network.addresses import Address
    from shared.payloads.cluster import Identity
    from shared.security.data_security import DataSecurity

log = logging.getLogger(__name__)

PROBE_CHECK_PERIOD_S = 1.0
"""New edges are probed, and problems are logged, this often."""

FIRST_PROBE_RETRY_S, MAX_PROBE_RETRY_S = 5.0, 60.0
"""Pauses before an unreachable address is probed again: the first, doubled each time up to the maximum."""

MAX_CONCURRENT_PROBES = 8
"""Addresses that are probed at the same time; each may take five seconds."""

CONTACTS_SETTLE_S = 5.0
"""A problem is logged when it has lasted this long: at a start, edges connect one after the other."""

CONTACTS_REPEAT_PERIOD_S = 300.0
"""A problem that comes and goes, for example of an edge that restarts again and again, is logged at most this often."""


@dataclass(slots=True)
class _Attempt:
    """The probes of one edge's address.

    `reason`: why the last one failed; empty before the first and after a success.
    """

    name: str
    address: Address
    instance: str
    next_at: float = 0.0
    wait_s: float = FIRST_PROBE_RETRY_S
    reached: bool = False
    reason: str = ""


class Prober:
    """Finds the edges that the gateway cannot reach, and those that cannot reach each other."""

    def __init__(
        self,
        members: Membership,
        listening: Callable[[], Address],
        identity: Callable[[], Identity],
        security: DataSecurity | None = None,
    ) -> None:
        """Probe the edges of `members`.

        `listening()` returns the advertised address of the gateway's data plane, `identity()` the gateway's identity.
        """
        self._security = security
        self._members = members
        self._listening = listening
        self._identity = identity
        self._attempts: dict[str, _Attempt] = {}
        self._since: dict[str, float] = {}
        self._logged: set[str] = set()
        self._warnings = RateLimit(CONTACTS_REPEAT_PERIOD_S)

    def problems(self, _: float) -> list[str]:
        """Return a sentence for each pair of devices that cannot reach each other."""
        nodes = {name: state for name in self._members.present if (state := self._members.online(name)) is not None}
        return contact_problems(
            Contacts(
                identity=self._identity(),
                host=self._listening().host,
                port=self._listening().port,
                nodes=nodes,
                failed={
                    name: (str(attempt.address), attempt.reason)
                    for name, attempt in self._attempts.items()
                    if attempt.reason
                },
                unreached={name: self._members.unreached(name) for name in nodes},
            )
        )

    async def run(self) -> None:
        """Probe new edges, and unreachable ones again, until cancelled."""
        while True:
            now = time.monotonic()
            due = self._due(now)[:MAX_CONCURRENT_PROBES]
            await asyncio.gather(*(self._try(attempt) for attempt in due))
            self._log(time.monotonic())
            await asyncio.sleep(PROBE_CHECK_PERIOD_S)

    def _due(self, now: float) -> list[_Attempt]:
        present = self._members.present
        for name in [name for name in self._attempts if name not in present]:
            del self._attempts[name]
        for name in present:
            address, state = self._members.address(name), self._members.online(name)
            if address is None or state is None:
                continue
            known = self._attempts.get(name)
            if known is None or (known.address, known.instance) != (address, state.identity.instance):
                self._attempts[name] = _Attempt(name, address, state.identity.instance)
        return [attempt for attempt in self._attempts.values() if not attempt.reached and attempt.next_at <= now]

    async def _try(self, attempt: _Attempt) -> None:
        traffic = WireTraffic(self._security)
        try:
            (await Connection.open(attempt.address, traffic, ExpectedPeer(Role.EDGE, attempt.name))).close()
            attempt.reached, attempt.reason = True, ""
        except DeepThingsError as error:
            failures = traffic.unreached.recent(time.monotonic())
            attempt.reason = failures[0].reason if failures else str(error)
            attempt.next_at = time.monotonic() + attempt.wait_s
            attempt.wait_s = min(MAX_PROBE_RETRY_S, attempt.wait_s * 2)

    def _log(self, now: float) -> None:
        """Log problems that have lasted CONTACTS_SETTLE_S, and the end of logged problems."""
        found = self.problems(now)
        self._since = {problem: self._since.get(problem, now) for problem in found}
        for problem in found:
            if (
                problem not in self._logged
                and now - self._since[problem] >= CONTACTS_SETTLE_S
                and self._warnings.allows(problem, now)
            ):
                self._logged.add(problem)
                log.warning("%s", problem)
        for problem in sorted(self._logged - set(found)):
            self._logged.discard(problem)
            log.info("solved: %s", problem)
