"""The MQTT client ids of our processes, which differ for each name and each topic prefix, and their logins. Pure."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shared.mqtt.topic_kinds import DEFAULT_PREFIX

if TYPE_CHECKING:
    from shared.mqtt.broker_login import Login

RANDOM_ID_BYTES = 8
"""Of a client id; nobody tries 2**64 of them."""

OWN_NODE = "gateway"
"""The name of the node by which the gateway's cores take part."""

EDGE_LOGIN_PREFIX = "edge."
"""Begins the user names of edges at the gateway's broker. Its password file has a colon between name and password, so
that a name cannot contain one; names of edges contain no dot."""


def edge_login_name(name: str) -> str:
    """Return the user name of an edge at the gateway's broker."""
    return f"{EDGE_LOGIN_PREFIX}{name}"


def gateway_client_id(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of the gateway with this topic prefix."""
    return _with_prefix("deepthings-gateway", prefix)


def edge_client_id(name: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of an edge of the gateway with this topic prefix."""
    return _with_prefix(f"deepthings-edge-{name}", prefix)


def unguessable(client_id: str, login: Login) -> str:
    """Return the client id for a connection with this login: with a random ending, unless it is anonymous.

    A broker ends a connection when another client connects under its id, whoever that is. Nobody can do that to a
    client whose id nobody knows.
    """
    return client_id if login.username is None else f"{client_id}.{secrets.token_hex(RANDOM_ID_BYTES)}"


def _with_prefix(client_id: str, prefix: str) -> str:
    """Add a prefix that is not the default, behind a dot: no name contains one, and slashes complicate access rules."""
    return client_id if prefix == DEFAULT_PREFIX else f"{client_id}.{prefix.replace('/', '.')}"
