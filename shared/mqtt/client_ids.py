"""The MQTT client ids and user names of our processes. Ids differ for each name and each topic prefix. Pure."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from shared.mqtt.topic_kinds import DEFAULT_PREFIX

if TYPE_CHECKING:
    from shared.mqtt.broker_login import Login

RANDOM_ID_BYTES = 8
"""Random bytes of a client id; 2**64 ids are too many to try."""

OWN_NODE = "gateway"
"""The name of the gateway's own node, by which its cores take part."""

EDGE_LOGIN_PREFIX = "edge."
"""The begin of the user names of edges at the gateway's broker. It ends with a dot, which names of edges do not
contain; a colon is not possible, because the broker's password file has one between name and password."""


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
    """Return the client id for a connection with this login: with a random suffix, unless the login is anonymous.

    A broker ends a connection when any other client connects with the same id. With a random suffix, nobody else knows
    the id.
    """
    return client_id if login.username is None else f"{client_id}.{secrets.token_hex(RANDOM_ID_BYTES)}"


def _with_prefix(client_id: str, prefix: str) -> str:
    """Append a topic prefix that is not the default one, behind a dot.

    Names contain no dot. Slashes become dots, because they would complicate access rules.
    """
    return client_id if prefix == DEFAULT_PREFIX else f"{client_id}.{prefix.replace('/', '.')}"
