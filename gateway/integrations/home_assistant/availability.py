"""Where Home Assistant reads whether something is there. Pure."""

from __future__ import annotations

from shared.mqtt import topics

Availability = dict[str, str]


def gateway_availability(prefix: str) -> Availability:
    """The gateway's will says when it has gone."""
    return {"topic": topics.BRIDGE_STATE.full_path(prefix=prefix), "value_template": "{{ value_json.state }}"}


def node_availability(prefix: str, node: str) -> Availability:
    """Nodes are read from the public list; their own topics are the cluster's."""
    return {
        "topic": topics.BRIDGE_NODES.full_path(prefix=prefix),
        "value_template": f"{{{{ 'online' if {node_value(node, 'state')} == 'online' else 'offline' }}}}",
    }


def camera_availability(prefix: str, camera: str) -> Availability:
    return {"topic": topics.CAMERA_AVAILABILITY.full_path(camera, prefix=prefix)}


def node_value(node: str, field: str) -> str:
    """The expression, in a template, of what the list of nodes says of one; none where it is not in it."""
    return f"(value_json.nodes.get('{node}') or {{}}).get('{field}')"
