"""Describes an edge as a device of Home Assistant. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.integrations.home_assistant.availability import gateway_availability, node_availability, node_value
from gateway.integrations.home_assistant.device import Device, device_information, identifier
from gateway.integrations.home_assistant.gateway_device import gateway_device_name, gateway_id
from shared.mqtt import topics

if TYPE_CHECKING:
    from gateway.integrations.home_assistant.device import Component

MODEL = "Edge"


def node_device(prefix: str, name: str, version: str) -> Device:
    """Return the device of an edge: state, statistics and buttons. `version` is that of the edge; empty if unknown."""
    its_id = identifier(prefix, "node", name)
    more = {"sw_version": version} if version else {}
    return Device(
        id=its_id,
        base=identifier(prefix, name),
        information=device_information(
            f"{gateway_device_name(prefix)} {name}", its_id, MODEL, via_device=gateway_id(prefix), **more
        ),
        availability=(gateway_availability(prefix), node_availability(prefix, name)),
        components={
            **_presence(prefix, name),
            **_statistics(prefix, name),
            "drain": _request(prefix, name, "drain_node", "Drain", "mdi:pause-circle-outline"),
            "resume": _request(prefix, name, "resume_node", "Resume", "mdi:play-circle-outline"),
        },
    )


def describes_node(payload: str) -> bool:
    """Return whether a discovery payload describes an edge."""
    try:
        message = json.loads(payload)
    except ValueError:
        return False
    device = (message.get("dev") or message.get("device")) if isinstance(message, dict) else None
    return isinstance(device, dict) and device.get("model") == MODEL


def _presence(prefix: str, name: str) -> dict[str, Component]:
    """Return the entities that are also available while the node is offline."""
    nodes = topics.BRIDGE_NODES.full_path(prefix=prefix)
    state, reason = node_value(name, "state"), node_value(name, "reason")
    common = {"entity_category": "diagnostic", "availability": [gateway_availability(prefix)], "state_topic": nodes}
    return {
        "state": {
            **common,
            "platform": "sensor",
            "name": "State",
            "icon": "mdi:lan-connect",
            "value_template": f"{{{{ {state} or 'offline' }}}}",
        },
        "problem": {
            **common,
            "platform": "binary_sensor",
            "name": "Problem",
            "device_class": "problem",
            "value_template": f"{{{{ 'ON' if {state} != 'online' or {reason} else 'OFF' }}}}",
            "json_attributes_topic": nodes,
            "json_attributes_template": f"{{{{ {{'reason': {reason} or ''}} | to_json }}}}",
        },
    }


def _statistics(prefix: str, name: str) -> dict[str, Component]:
    tiles, load = node_value(name, "tiles"), node_value(name, "load")
    common = {"platform": "sensor", "state_topic": topics.BRIDGE_NODES.full_path(prefix=prefix)}
    counted = {**common, "state_class": "total_increasing", "unit_of_measurement": "tiles"}
    measured = {**common, "state_class": "measurement", "entity_category": "diagnostic"}
    return {
        "tiles_computed": {
            **counted,
            "name": "Tiles computed",
            "icon": "mdi:view-grid",
            "value_template": f"{{% set tiles = {tiles} %}}{{{{ tiles.own + tiles.stolen if tiles else none }}}}",
        },
        "tiles_stolen": {
            **counted,
            "name": "Tiles stolen",
            "icon": "mdi:view-grid-plus",
            "value_template": f"{{% set tiles = {tiles} %}}{{{{ tiles.stolen if tiles else none }}}}",
        },
        "tiles_per_second": {
            **measured,
            "name": "Tiles per second",
            "icon": "mdi:speedometer",
            "unit_of_measurement": "tiles/s",
            "value_template": f"{{{{ {node_value(name, 'tiles_per_s')} }}}}",
        },
        "load": {
            **measured,
            "name": "Load",
            "icon": "mdi:chip",
            "unit_of_measurement": "%",
            "suggested_display_precision": 0,
            "value_template": f"{{% set load = {load} %}}{{{{ (100 * load) | round(1) if load is number else none }}}}",
        },
        "temperature": {
            **measured,
            "name": "Temperature",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
            "suggested_display_precision": 0,
            "value_template": f"{{{{ {node_value(name, 'temperature')} }}}}",
        },
    }


def _request(prefix: str, node: str, command: str, name: str, icon: str) -> Component:
    return {
        "platform": "button",
        "name": name,
        "icon": icon,
        "entity_category": "config",
        "command_topic": topics.REQUEST.full_path(command, prefix=prefix),
        "payload_press": json.dumps({"node": node}),
    }
