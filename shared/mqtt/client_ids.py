"""The MQTT client ids of our processes, which differ for each name and each topic prefix. Pure."""

from __future__ import annotations

from shared.mqtt.topics import DEFAULT_PREFIX


def gateway_client_id(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of the gateway with this topic prefix."""
    return _beside_others("deepthings-gateway", prefix)


def edge_client_id(name: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of an edge of the gateway with this topic prefix."""
    return _beside_others(f"deepthings-edge-{name}", prefix)


def _beside_others(client_id: str, prefix: str) -> str:
    """Add the prefix behind a dot, which no name contains; a slash would complicate the broker's access rules."""
    return client_id if prefix == DEFAULT_PREFIX else f"{client_id}.{prefix.replace('/', '.')}"
