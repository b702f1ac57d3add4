"""The login of a command at the gateway's broker: that of this device, if it is a member of a cluster."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from shared.cli.key_place import key_place
from shared.errors import ConfigurationError
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.member_login import encrypted_broker, member_login
from shared.network.hosts import is_loopback
from shared.security.key_folder import find_identity, own_node_folder, read_gateway

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.addresses import Address
    from shared.security.node_identity import NodeIdentity


LOOPBACK_TIMEOUT_S = 1.0
"""Timeout of a connection on loopback, which is accepted or refused at once."""


def cluster_login(broker: Address) -> tuple[Address, Login]:
    """Return the address and the login to use for this broker; without keys, the login is anonymous.

    Raises ConfigurationError for damaged keys.
    """
    broker, identity = cluster_identity(broker)
    return broker, ANONYMOUS if identity is None else member_login(identity)


def cluster_identity(broker: Address) -> tuple[Address, NodeIdentity | None]:
    """Return the address to use for this broker, and the keys of its cluster; None without keys.

    A device that has joined the cluster uses its own keys and the broker's encrypted port. The gateway's own machine
    uses the keys of the gateway's node. Raises ConfigurationError for damaged keys.
    """
    folder = key_place().folder
    joined = _identity_in(folder)
    if joined is not None and (not is_loopback(broker.host) or encrypted_broker(broker) == read_gateway(folder)):
        return encrypted_broker(broker), joined
    own, encrypted = _identity_in(own_node_folder(folder.parent)), encrypted_broker(broker)
    if own is None or (is_loopback(broker.host) and not _is_listening(encrypted)):
        return broker, None
    return encrypted, own


def _is_listening(address: Address) -> bool:
    """Return whether a program listens at this address of this machine.

    A gateway that listens on loopback only opens no encrypted port.
    """
    try:
        with socket.create_connection(address, LOOPBACK_TIMEOUT_S):
            return True
    except OSError:
        return False


def _identity_in(folder: Path) -> NodeIdentity | None:
    """Return the identity in a folder; None if there is none, or it is another user's."""
    try:
        return find_identity(folder)
    except PermissionError:
        return None
    except ConfigurationError as error:
        if isinstance(error.__cause__, PermissionError):
            return None
        raise
