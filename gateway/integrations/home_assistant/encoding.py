"""Encodes devices as discovery messages: one for each device, or one for each entity. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.integrations.home_assistant.device import Component, Device

MAX_COMPONENTS_PER_MESSAGE = 500
"""Components in one message. Each has at most 1 KB, and the broker accepts 1 MB. Further ones are in more messages."""

QOS = 1
"""The QoS of Home Assistant's subscriptions and commands: 1, because messages that are published once must not be
lost."""

DiscoveryMessage = tuple[str, str]
"""A discovery topic and the payload of its retained message."""


def encode_device(device: Device, version: str, *, per_entity: bool) -> Iterator[DiscoveryMessage]:
    """Yield the messages of a device, with topics relative to the discovery prefix.

    `version` is that of the gateway. `per_entity`: a message for each entity, for Home Assistant before 2024.11.
    """
    origin = {"name": "DeepThings", "sw_version": version}
    encode = _per_entity if per_entity else _per_device
    for topic, payload in encode(device, origin):
        yield f"{topic}/config", json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _per_device(device: Device, origin: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield one message with all components (more, if there are too many), which has the common keys once."""
    components = [
        (key, _abbreviated(_complete(device, key, component))) for key, component in device.components.items()
    ]
    for start in range(0, len(components), MAX_COMPONENTS_PER_MESSAGE):
        part = f"_PART{start // MAX_COMPONENTS_PER_MESSAGE + 1}" if start else ""  # in capitals, so it is no name's
        yield (
            f"device/{device.id}{part}",
            {
                "dev": device.information,
                "o": origin,
                "availability": device.availability,
                "availability_mode": "all",
                "cmps": dict(components[start : start + MAX_COMPONENTS_PER_MESSAGE]),
            },
        )


def _per_entity(device: Device, origin: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, component in device.components.items():
        content = {"availability": device.availability, "availability_mode": "all", **_complete(device, key, component)}
        platform = content.pop("platform")
        yield f"{platform}/{device.id}/{key}", {**content, "device": device.information, "origin": origin}


def _complete(device: Device, key: str, component: Component) -> Component:
    """Return the component with its ids and its QoS.

    Home Assistant before 2025.10 reads `object_id` instead of `default_entity_id`.
    """
    if component["platform"] == "device_automation":
        return {**component, "qos": QOS}
    object_id = re.sub(r"[^a-z0-9]+", "_", f"{device.base}_{key.replace('_ZONE_', '_')}".lower())
    return {
        **component,
        "qos": QOS,
        "unique_id": f"{device.id}.{key}",  # neither part has a dot: the id is unique
        "default_entity_id": f"{component['platform']}.{object_id}",
        "object_id": object_id,
    }


def _abbreviated(component: Component) -> Component:
    return {"p": component["platform"], **{key: value for key, value in component.items() if key != "platform"}}
