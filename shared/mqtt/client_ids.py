"""How our processes are called at a broker: each name once, and gateways of other prefixes beside each other. Pure."""

from __future__ import annotations

from shared.mqtt.topics import DEFAULT_PREFIX


def gateway_client_id(prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of the gateway whose topics begin so."""
    return _beside_others("deepthings-gateway", prefix)


def edge_client_id(name: str, prefix: str = DEFAULT_PREFIX) -> str:
    """Return the client id of an edge of that gateway."""
    return _beside_others(f"deepthings-edge-{name}", prefix)


def _beside_others(client_id: str, prefix: str) -> str:
    """A dot is in no name; a slash would be in the way of a broker's access rules."""
    return client_id if prefix == DEFAULT_PREFIX else f"{client_id}.{prefix.replace('/', '.')}"
