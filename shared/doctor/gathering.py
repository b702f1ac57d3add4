"""Collects, in order, the facts about everything between this device and a detection, until something fails."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from shared.doctor.broker_probe import ask_broker
from shared.doctor.data_probe import reach_edges, reach_gateway
from shared.doctor.device_probe import look_at_device
from shared.doctor.doctor_facts import Facts
from shared.doctor.port_probe import resolve_name, try_page, try_port
from shared.mqtt.broker_login import ANONYMOUS
from shared.mqtt.member_login import member_login
from shared.network.addresses import LOOPBACK, Address, local_address
from shared.network.hosts import is_loopback, is_wildcard
from shared.network.ports import PAGE_PORT
from shared.process.lifecycle import installed_version
from shared.security.data_security import DataSecurity

if TYPE_CHECKING:
    from shared.doctor.doctor_facts import OwnKeys
    from shared.security.node_identity import NodeIdentity


async def gather_facts(gateway: Address, prefix: str, keys: OwnKeys, identity: NodeIdentity | None) -> Facts:
    """Return all facts that can be found out. `identity` has the keys of this device for the gateway; None without."""
    facts = Facts(gateway, prefix, own_release=installed_version(), keys=keys)
    facts.device = await asyncio.to_thread(look_at_device, gateway)
    await _probe_gateway(facts, identity)
    facts.at = time.time()
    return facts


async def _probe_gateway(facts: Facts, identity: NodeIdentity | None) -> None:
    """Try the gateway's name, port and broker, then the data planes; stop at the first failure."""
    facts.name = await resolve_name(facts.gateway.host)
    if facts.name.reason:
        return
    facts.port = await try_port(facts.gateway)
    if facts.port.reason or (facts.keys is not None and facts.keys.fault):
        return
    login = ANONYMOUS if identity is None else member_login(identity)
    found = await ask_broker(facts.gateway, login, facts.prefix, "" if identity is None else identity.name)
    facts.broker, facts.echo, facts.cluster = found.answer, found.echo, found.cluster
    facts.members, facts.plan, facts.nodes = found.members, found.plan, found.nodes
    facts.earlier = found.earlier
    if facts.cluster is not None and facts.cluster.state is not None:
        await _probe_page_and_data_planes(facts, identity)


async def _probe_page_and_data_planes(facts: Facts, identity: NodeIdentity | None) -> None:
    """Connect to the page, if this device should reach it, and to the data planes of the gateway and the edges."""
    assert facts.cluster is not None
    assert facts.cluster.state is not None
    network = facts.device.network if facts.device else ""
    facts.on_gateway = bool(network) and facts.cluster.state.identity.network == network
    facts.page_address = _page_address(facts)
    if facts.page_address is not None:
        facts.page = await try_page(facts.page_address)
    if identity is None and facts.members is not None and not facts.members.open:
        return  # data planes do not answer devices without keys
    security = None if identity is None else DataSecurity(identity, facts.members)
    address = _data_address(facts)
    if address is not None:
        facts.gateway_data = await reach_gateway(address, facts.plan, security)
    own = ("" if identity is None else identity.name, network)
    facts.edges_data = await reach_edges(facts.gateway, facts.nodes, own, security)


def _page_address(facts: Facts) -> Address | None:
    """Return the address at which this device should reach the gateway's page.

    None if the gateway has no page, or one for its own machine only.
    """
    info = facts.cluster.info if facts.cluster else None
    host, port = (info.page_host, info.page_port) if info else ("", 0)
    if facts.on_gateway:
        return local_address(Address(host or LOOPBACK, port or PAGE_PORT))
    if not port or is_loopback(host):
        return None
    return Address(facts.gateway.host if is_wildcard(host) else host, port)


def _data_address(facts: Facts) -> Address | None:
    """Return the address of the gateway's data plane, as its plan or its information says."""
    if facts.plan is not None:
        return Address(facts.plan.gateway_host, facts.plan.gateway_port).seen_from(facts.gateway)
    info = facts.cluster.info if facts.cluster else None
    if info is None or not info.data_port:
        return None
    return Address(info.cluster_host, info.data_port).seen_from(facts.gateway)
