"""The MQTT client ids of our processes, which differ for each name and each topic prefix. Pure."""

from __future__ import annotations

from shared.mqtt.topics import DEFAULT_PREFIX


def gateway_client_id(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of the gateway with this topic prefix."""
    return _with_prefix("deepthings-gateway", prefix)


def edge_client_id(name: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of an edge of the gateway with this topic prefix."""
    return _with_prefix(f"deepthings-edge-{name}", prefix)


def _with_prefix(client_id: str, prefix: str) -> str:
    """Add a prefix that is not the default, behind a dot: no name contains one, and slashes complicate access rules."""
    return client_id if prefix == DEFAULT_PREFIX else f"{client_id}.{prefix.replace('/', '.')}"
