"""Devices as messages of Home Assistant's discovery: one for each, or one for each entity. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gateway.integrations.home_assistant.device import Component, Device

MAX_COMPONENTS_PER_MESSAGE = 500
"""Components in one message, of at most 1 KB each: the broker takes 1 MB. What is more goes into another message."""

QOS = 1
"""Of Home Assistant's subscriptions and commands: what is told once is not lost on the way."""

DiscoveryMessage = tuple[str, str]
"""A topic below the prefix of discovery, and its payload."""


def encode_device(device: Device, version: str, *, per_entity: bool) -> Iterator[DiscoveryMessage]:
    """All messages of a device; `version` is that of the gateway, which tells of it."""
    origin = {"name": "DeepThings", "sw_version": version}
    tell = _per_entity if per_entity else _per_device
    for topic, payload in tell(device, origin):
        yield f"{topic}/config", json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _per_device(device: Device, origin: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What all components have in common is said once."""
    components = [(key, _abbreviated(_complete(device, key, each))) for key, each in device.components.items()]
    for start in range(0, len(components), MAX_COMPONENTS_PER_MESSAGE):
        part = f"_PART{start // MAX_COMPONENTS_PER_MESSAGE + 1}" if start else ""  # capitals, as no name has them
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
