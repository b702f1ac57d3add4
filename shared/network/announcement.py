"""The announcement of a gateway on its network by mDNS/DNS-SD: its cluster, and the address for edges that have joined.

An announcement proves nothing, because any device can make it. It only says at which address to ask for a proof.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from shared.network.addresses import Address
from shared.network.hosts import is_loopback, is_wildcard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from ipaddress import IPv6Interface

UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")
"""IPv6 addresses that routers do not forward to the internet (RFC 4193)."""

SMALLEST_PREFIX = 48
"""Bits of the prefix of a home's IPv6 network, at least: providers give homes no larger networks."""

SERVICE_TYPE = "_deepthings._tcp.local."

CLUSTER_FIELD = "cluster"
"""The field of an announcement whose value is the part of an invitation's code that stands for the authority."""

MAX_ANNOUNCED_ADDRESSES = 8
"""Addresses of one gateway: those in its networks, and those of the bridges of its containers."""


def announced_addresses(listen: str, interfaces: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses to announce for a listener, given those of this machine's interfaces.

    A broker that listens on all IPv6 addresses, `::`, does not listen on those of IPv4.
    """
    if is_wildcard(listen):
        fit = {address for address in interfaces if not is_loopback(address) and (":" in address) == (":" in listen)}
        return tuple(sorted(fit))[:MAX_ANNOUNCED_ADDRESSES]
    return (listen,) if listen in interfaces and not is_loopback(listen) and not is_wildcard(listen) else ()


def announced_places(
    cluster: str,
    fields: Mapping[bytes, bytes | None],
    port: int | None,
    addresses: Iterable[str],
    own: Sequence[IPv6Interface] = (),
) -> tuple[Address, ...]:
    """Return the addresses of an announcement that may be tried; none if the announcement is of another cluster.

    Only addresses in a home's networks are returned, so that no announcement can make an edge connect to machines
    elsewhere. `own` are this machine's IPv6 addresses: other addresses in their networks are at home, too, although
    they can be reached from everywhere.
    """
    if fields.get(CLUSTER_FIELD.encode()) != cluster.encode() or not port or not 0 < port < 65536:
        return ()
    hosts = [host for host in addresses if _is_at_home(host, own)]
    return tuple(Address(host, port) for host in hosts[:MAX_ANNOUNCED_ADDRESSES])


def _is_at_home(host: str, own: Sequence[IPv6Interface]) -> bool:
    """Return whether this is the address of another machine in a private network, or in one of our own networks."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        near = any(address in each.network for each in own if each.network.prefixlen >= SMALLEST_PREFIX)
        return not address.is_link_local and (near or address in UNIQUE_LOCAL)
    return address.is_private and not address.is_reserved
