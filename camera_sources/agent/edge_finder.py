"""Finds the edge of a camera that has joined where its gateway is now, when both run on a machine that has moved.

An edge does not announce itself, but a gateway does. So a camera whose edge is silent tries its port where somebody
announces the cluster, and believes who proves to be that edge.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from shared.errors import AnnouncementError, PeerLostError, PeerTimeoutError
from shared.network.addresses import Address
from shared.network.announced_gateways import announced_gateways
from shared.network.gateway_search import GatewaySearch
from shared.security.code_parts import authority_in_code
from shared.security.data_security import DataSecurity, ExpectedPeer
from shared.wire.connection import Connection, WireTraffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.security.member_list import Member
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)


async def require_edge_at(address: Address, identity: NodeIdentity, edge: Member) -> None:
    """Connect, and require that this edge answers. Raises PeerLostError or PeerTimeoutError."""
    traffic = WireTraffic(DataSecurity(identity, by_certificate=True))
    connection = await Connection.open(address, traffic, ExpectedPeer(edge.role, edge.name))
    connection.close()


class EdgeFinder:
    """Knows where the edge of a camera is. Without keys, nobody could prove anything, and that never changes."""

    def __init__(
        self,
        identity: NodeIdentity | None,
        known: Address,
        *,
        listen: Callable[[str], Awaitable[list[Address]]] = announced_gateways,
        require_edge: Callable[[Address, NodeIdentity, Member], Awaitable[None]] = require_edge_at,
    ) -> None:
        self.edge = known
        self._identity = identity
        self._listen = listen
        self._require_edge = require_edge
        self._search = GatewaySearch(known)
        self._member: Member | None = None
        self._silent_since: float | None = None

    def note_connected(self, member: Member | None) -> None:
        """Note that an edge has proved to be this member; None: without keys."""
        self._member, self._silent_since = member or self._member, None

    async def look_after_failure(self) -> None:
        """Look for the edge elsewhere, if it has been silent for long enough; takes some seconds then."""
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if self._identity is None or self._member is None:
            return
        if not self._search.is_due(now - self._silent_since, now):
            return
        try:
            announced = await self._listen(authority_in_code(self._identity.authority_hash))
        except AnnouncementError as error:
            log.debug("the gateway cannot be looked for on the network: %s", error)
            return
        ports = {Address(place.host, self.edge.port) for place in announced}
        for place in self._search.choose(ports, time.monotonic()):
            if await self._proves_itself(place, self._identity, self._member):
                log.info(
                    "edge %s does not answer any more at %s; it is at %s now, proved by its key, and this camera goes "
                    "on there", self._member.name, self.edge, place,
                )  # fmt: skip
                self.edge, self._search, self._silent_since = place, GatewaySearch(place), None
                return

    async def _proves_itself(self, place: Address, identity: NodeIdentity, edge: Member) -> bool:
        try:
            await self._require_edge(place, identity, edge)
        except (PeerLostError, PeerTimeoutError) as error:
            self._search.note_failure(place, time.monotonic())
            log.debug("somebody announces this cluster at %s, but: %s", place.host, error)
            return False
        return True
