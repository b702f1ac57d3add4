"""The retained messages from which Home Assistant learns of our devices. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gateway.home_assistant.camera_device import camera_device
from gateway.home_assistant.gateway_device import gateway_device
from gateway.home_assistant.node_device import node_device

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gateway.configuration.root import Configuration
    from gateway.home_assistant.device import Component, Device
    from shared.messages import Nodes

NODES_CAP = 256
"""More edges than any home has; a client that invents names does not fill Home Assistant with devices."""

COMPONENTS_CAP = 500
"""Components in one message, of at most 1 KB each: the broker takes 1 MB. What is more goes into another message."""

QOS = 1
"""Of Home Assistant's subscriptions and commands: what is told once is not lost on the way."""


def discovery(
    configuration: Configuration,
    nodes: Nodes,
    version: str,
    labels: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, str]:
    """Payloads by topic, in the order in which they are to be published: gateway, nodes, cameras.

    `labels` are those that are followed now, by camera, where they are not those of the configuration. Empty where
    Home Assistant is not to be told anything.
    """
    if not configuration.home_assistant.enabled:
        return {}
    messages: dict[str, str] = {}
    for device in _devices(configuration, nodes, version, labels or {}):
        tell = _per_entity if configuration.home_assistant.per_entity else _per_device
        origin = {"name": "DeepThings", "sw_version": version}
        for topic, payload in tell(device, origin):
            where = f"{configuration.home_assistant.discovery_prefix}/{topic}/config"
            messages[where] = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return messages


def _devices(
    configuration: Configuration, nodes: Nodes, version: str, labels: Mapping[str, Sequence[str]]
) -> Iterator[Device]:
    prefix = configuration.mqtt.topic_prefix
    yield gateway_device(prefix, version)
    for name in sorted(nodes.nodes)[:NODES_CAP]:
        yield node_device(prefix, name, nodes.nodes[name].version)
    for name, camera in configuration.cameras.items():
        followed = (camera.objects or configuration.objects).track
        yield camera_device(prefix, name, camera, labels.get(name, followed))


def _per_device(device: Device, origin: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What all components have in common is said once."""
    components = [(key, _abbreviated(_complete(device, key, each))) for key, each in device.components.items()]
    for start in range(0, len(components), COMPONENTS_CAP):
        part = f"_PART{start // COMPONENTS_CAP + 1}" if start else ""  # capitals, as no name has them
        yield (
            f"device/{device.id}{part}",
            {
                "dev": device.information,
                "o": origin,
                "availability": device.availability,
                "availability_mode": "all",
                "cmps": dict(components[start : start + COMPONENTS_CAP]),
            },
        )


def _per_entity(device: Device, origin: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, each in device.components.items():
        component = {"availability": device.availability, "availability_mode": "all", **_complete(device, key, each)}
        platform = component.pop("platform")
        yield f"{platform}/{device.id}/{key}", {**component, "device": device.information, "origin": origin}


def _complete(device: Device, key: str, component: Component) -> Component:
    """The component with what it is known by.

    `object_id` says what `default_entity_id` does to a Home Assistant before 2025.10.
    """
    if component["platform"] == "device_automation":
        return {**component, "qos": QOS}
    object_id = re.sub(r"[^a-z0-9]+", "_", f"{device.base}_{key.replace('_ZONE_', '_')}".lower())
    return {
        **component,
        "qos": QOS,
        "unique_id": f"{device.id}.{key}",  # neither has a dot: no two pairs are one
        "default_entity_id": f"{component['platform']}.{object_id}",
        "object_id": object_id,
    }


def _abbreviated(component: Component) -> Component:
    return {"p": component["platform"], **{key: each for key, each in component.items() if key != "platform"}}
