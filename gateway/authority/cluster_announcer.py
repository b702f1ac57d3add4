"""Announces the gateway of a cluster with keys on its network, at the addresses that it has at the moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.errors import AnnouncementError
from shared.logs.outage import Outage
from shared.network.announcement import announced_addresses
from shared.network.interfaces import interface_addresses, interface_networks_v6
from shared.security.code_parts import authority_in_code

if TYPE_CHECKING:
    from types import ModuleType

    from zeroconf.asyncio import AsyncZeroconf

    from shared.network.addresses import Address
    from shared.security.node_identity import NodeIdentity

log = logging.getLogger(__name__)

ADDRESS_CHECK_PERIOD_S = 5.0
"""A new address of this machine is announced within this time; a failed announcement is repeated after it."""


def _mdns() -> ModuleType:
    from shared.network import mdns  # noqa: PLC0415  (slow to import: only for gateways that need it, in a thread)

    return mdns


def announcer_for(identity: NodeIdentity | None, edges_broker: Address, *, wanted: bool) -> ClusterAnnouncer | None:
    """Return an announcer for a gateway that has keys; None if it has none, or if it is not `wanted`.

    An announcement without keys would be useless: nobody could check whose it is.
    """
    return ClusterAnnouncer(identity, edges_broker) if identity is not None and wanted else None


class ClusterAnnouncer:
    """Announces one cluster with mDNS, while the gateway runs."""

    def __init__(self, identity: NodeIdentity, edges_broker: Address) -> None:
        """`edges_broker` is the address at which the broker listens for edges that have joined."""
        self._cluster = authority_in_code(identity.authority_hash)
        self._broker = edges_broker
        self._outage = Outage()
        self._announced: tuple[str, ...] = ()
        self._announcement: AsyncZeroconf | None = None

    async def run(self) -> None:
        """Announce until cancelled, and withdraw the announcement then."""
        self._mdns = await asyncio.to_thread(_mdns)
        try:
            while True:
                addresses = announced_addresses(self._broker.host, _own_addresses())
                if addresses != self._announced:
                    await self._withdraw()
                    await self._announce(addresses)
                await asyncio.sleep(ADDRESS_CHECK_PERIOD_S)
        finally:
            await self._withdraw()

    async def _announce(self, addresses: tuple[str, ...]) -> None:
        if not addresses:
            return
        try:
            self._announcement = await self._mdns.announce(self._cluster, self._broker.port, addresses)
        except AnnouncementError as error:
            level = self._outage.level(str(error))
            log.log(level, "the gateway cannot announce itself: %s; edges go on with the address that they know", error)
            return
        self._announced = addresses
        self._outage.note_success()
        log.debug("the gateway announces itself at %s", ", ".join(addresses))

    async def _withdraw(self) -> None:
        announcement, self._announcement, self._announced = self._announcement, None, ()
        if announcement is not None:
            with contextlib.suppress(OSError):  # its network interface is gone
                await announcement.async_close()


def _own_addresses() -> list[str]:
    return [*interface_addresses(), *(str(interface.ip) for interface in interface_networks_v6())]
