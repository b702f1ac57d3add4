"""Finds a camera's gateway, or its edge on the gateway's machine, when that machine has a new address.

Gateways announce themselves on the network, edges do not. If its edge or gateway does not answer, a camera that has
joined the cluster tries the same port at the addresses at which the cluster is announced, and accepts the one at which
this member proves its identity.
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
from shared.wire.connection import Connection
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.network.addresses import Address
    from shared.security.member_list import Member
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)


async def require_member_at(address: Address, identity: NodeIdentity, member: Member) -> None:
    """Check that this member answers at an address. Raises PeerRefusedError, PeerLostError or PeerTimeoutError."""
    traffic = WireTraffic(DataSecurity(identity, by_certificate=True))
    connection = await Connection.open(address, traffic, ExpectedPeer(member.role, member.name))
    connection.close()


class MemberFinder:
    """Knows the `address` of a camera's edge or gateway, and searches for a new one when it does not answer.

    Without keys the address never changes, because no device could prove its identity.
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
        """Note a connection with this member, which has proved its identity; None without keys."""
        self._member, self._silent_since = member or self._member, None

    async def look_after_failure(self) -> None:
        """Search for the member at other addresses, which takes some seconds, if it has not answered long enough."""
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
