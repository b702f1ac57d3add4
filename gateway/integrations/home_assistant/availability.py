"""Makes the availability entries of discovery messages. Pure."""

from __future__ import annotations

from shared.mqtt import topics

Availability = dict[str, str]


def gateway_availability(prefix: str) -> Availability:
    """Return the availability of the gateway, from its state topic; its will sets that to offline when it is lost."""
    return {"topic": topics.BRIDGE_STATE.full_path(prefix=prefix), "value_template": "{{ value_json.state }}"}


def node_availability(prefix: str, node: str) -> Availability:
    """Return the availability of an edge, from the public list of nodes, because its own topics are not public."""
    return {
        "topic": topics.BRIDGE_NODES.full_path(prefix=prefix),
        "value_template": f"{{{{ 'online' if {node_value(node, 'state')} == 'online' else 'offline' }}}}",
    }


def camera_availability(prefix: str, camera: str) -> Availability:
    """Return the availability of a camera."""
    return {"topic": topics.CAMERA_AVAILABILITY.full_path(camera, prefix=prefix)}


def node_value(node: str, field: str) -> str:
    """Return the template expression for a node's field in the list of nodes; its value is none for a missing node."""
    return f"(value_json.nodes.get('{node}') or {{}}).get('{field}')"
