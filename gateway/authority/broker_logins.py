"""Creates the logins at the gateway's own broker, for the members of its cluster and for people and automations."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from gateway.broker.broker_access import BrokerAccess, BrokerPlaces, ServerCertificate
from gateway.broker.logins import LoginFile
from shared.network.addresses import LOOPBACK, LOOPBACK_V6, network_address
from shared.network.hosts import is_wildcard
from shared.network.interfaces import interface_address_v6
from shared.security.issuing import make_key, public_key_of
from shared.security.member_list import Role

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.authority.cluster_keys import ClusterKeys
    from gateway.broker.access import PublicTopics
    from shared.security.member_list import MemberList

USERS_FILE = "users"
"""The file in the state folder. It is not in the folder of keys: people keep their passwords when the keys change."""


def open_broker_access(keys: ClusterKeys, state: Path, places: BrokerPlaces, topics: PublicTopics) -> BrokerAccess:
    """Return the logins and rules of the broker, which follow all changes of the list of members."""
    authority = keys.authority
    identity, public_key = authority.identity, make_key()
    public = authority.issue_server(names_of_host(places.cluster.host), public_key_of(public_key))
    access = BrokerAccess(
        places, topics, LoginFile(state / USERS_FILE), ServerCertificate(identity.certificate, identity.key),
        ServerCertificate(public, public_key), authority.certificate,
    )  # fmt: skip

    def admit(members: MemberList) -> None:
        tokens = {member.name: authority.token_of(member) for member in members.members if member.role is Role.EDGE}
        access.admit(tokens, is_open=members.open)

    admit(keys.members.list)
    keys.members.follow(admit)
    return access


def names_of_host(listen: str) -> tuple[str, ...]:
    """Return the names and addresses of this machine, by which programs in the home may know its broker."""
    name = socket.gethostname().split(".")[0]
    names = [name, f"{name}.local", socket.gethostname(), "localhost"]
    if not is_wildcard(listen):
        addresses = [LOOPBACK, listen]
    elif ":" in listen:
        addresses = [LOOPBACK_V6, interface_address_v6()]
    else:
        addresses = [LOOPBACK, network_address()]
    return tuple(dict.fromkeys(host for host in (*names, *addresses) if host))
