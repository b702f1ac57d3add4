"""Availability topics of discovery messages. Pure."""

from __future__ import annotations

from shared.mqtt import topics

Availability = dict[str, str]


def gateway_availability(prefix: str) -> Availability:
    """Return the availability of the gateway; its will says offline when it has gone."""
    return {"topic": topics.BRIDGE_STATE.full_path(prefix=prefix), "value_template": "{{ value_json.state }}"}


def node_availability(prefix: str, node: str) -> Availability:
    """Return the availability of an edge, from the public list of nodes: its own topics are for the cluster only."""
    return {
        "topic": topics.BRIDGE_NODES.full_path(prefix=prefix),
        "value_template": f"{{{{ 'online' if {node_value(node, 'state')} == 'online' else 'offline' }}}}",
    }


def camera_availability(prefix: str, camera: str) -> Availability:
    """Return the availability of a camera."""
    return {"topic": topics.CAMERA_AVAILABILITY.full_path(camera, prefix=prefix)}


def node_value(node: str, field: str) -> str:
    """Return the template expression of a node's field in the list of nodes; it gives none if the node is missing."""
    return f"(value_json.nodes.get('{node}') or {{}}).get('{field}')"
