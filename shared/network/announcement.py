"""The announcement of a gateway on its network by mDNS/DNS-SD: its cluster, and where edges that have joined connect.

Nobody proves anything by an announcement: it says where to ask for a proof.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from shared.network.addresses import Address
from shared.network.hosts import is_loopback, is_wildcard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SERVICE_TYPE = "_deepthings._tcp.local."

CLUSTER_FIELD = "cluster"
"""Its value is the part of an invitation's code that stands for the cluster's authority."""

MAX_ANNOUNCED_ADDRESSES = 8
"""Of one gateway: its networks, and the bridges of its containers."""


def announced_addresses(listen: str, interfaces: Iterable[str]) -> tuple[str, ...]:
    """Return the IPv4 addresses to announce for a listener, given those of this machine's interfaces."""
    if listen == "0.0.0.0":  # noqa: S104  (compared, not listened on)
        found = tuple(sorted({address for address in interfaces if not is_loopback(address)}))
        return found[:MAX_ANNOUNCED_ADDRESSES]
    return (listen,) if listen in interfaces and not is_loopback(listen) and not is_wildcard(listen) else ()


def announced_places(
    cluster: str, fields: Mapping[bytes, bytes | None], port: int | None, addresses: Iterable[str]
) -> tuple[Address, ...]:
    """Return the addresses of an announcement that may be tried; none if it is of another cluster.

    Only those of a home's networks: nobody makes an edge knock at a machine elsewhere.
    """
    if fields.get(CLUSTER_FIELD.encode()) != cluster.encode() or not port or not 0 < port < 65536:
        return ()
    hosts = [host for host in addresses if _is_at_home(host)]
    return tuple(Address(host, port) for host in hosts[:MAX_ANNOUNCED_ADDRESSES])


def _is_at_home(host: str) -> bool:
    """Return whether this is the IPv4 address of one other machine in a private network."""
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    special = address.is_loopback or address.is_multicast or address.is_unspecified or address.is_reserved
    return address.is_private and not special
