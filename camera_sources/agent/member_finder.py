"""Finds the gateway of a camera that has joined, or its edge beside the gateway, when that machine has moved.

An edge does not announce itself, but a gateway does. So a camera whose edge or gateway is silent tries its port where
somebody announces the cluster, and believes who proves to be that member.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from shared.network.announced_gateways import announced_gateways
from shared.network.announced_search import first_proved
from shared.network.gateway_search import GatewaySearch
from shared.security.code_parts import authority_in_code
from shared.security.data_security import DataSecurity, ExpectedPeer
from shared.wire.connection import Connection, WireTraffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.network.addresses import Address
    from shared.security.member_list import Member
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)


async def require_member_at(address: Address, identity: NodeIdentity, member: Member) -> None:
    """Connect, and require that this member answers. Raises PeerLostError or PeerTimeoutError."""
    traffic = WireTraffic(DataSecurity(identity, by_certificate=True))
    connection = await Connection.open(address, traffic, ExpectedPeer(member.role, member.name))
    connection.close()


class MemberFinder:
    """Knows where the edge or the gateway of a camera is.

    Without keys, nobody could prove anything, and that never changes.
    """

    def __init__(
        self,
        identity: NodeIdentity | None,
        known: Address,
        *,
        listen: Callable[[str], Awaitable[list[Address]]] = announced_gateways,
        require_member: Callable[[Address, NodeIdentity, Member], Awaitable[None]] = require_member_at,
    ) -> None:
        self.address = known
        self._identity = identity
        self._listen = listen
        self._require_member = require_member
        self._search = GatewaySearch(known)
        self._member: Member | None = None
        self._silent_since: float | None = None

    def note_connected(self, member: Member | None) -> None:
        """Note that somebody has proved to be this member; None: without keys."""
        self._member, self._silent_since = member or self._member, None

    async def look_after_failure(self) -> None:
        """Look for the member elsewhere, if it has been silent for long enough; takes some seconds then."""
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        if self._identity is None or self._member is None:
            return
        if not self._search.is_due(now - self._silent_since, now):
            return
        identity, member = self._identity, self._member
        place = await first_proved(
            self._search,
            self._listen(authority_in_code(identity.authority_hash)),
            lambda address: self._require_member(address, identity, member),
            port=self.address.port,
        )
        if place is not None:
            log.info(
                "%s does not answer any more at %s; it is at %s now, proved by its key, and this camera goes on "
                "there", member, self.address, place,
            )  # fmt: skip
            self.address, self._search, self._silent_since = place, GatewaySearch(place), None
