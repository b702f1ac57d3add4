"""Describes the gateway as a device of Home Assistant. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.integrations.home_assistant.availability import gateway_availability
from gateway.integrations.home_assistant.device import Device, device_information, identifier
from shared.mqtt import topics
from shared.mqtt.topic_kinds import DEFAULT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.integrations.home_assistant.device import Component


def gateway_id(prefix: str) -> str:
    """Return the id of the gateway's device; nodes and cameras name it as `via_device`."""
    return identifier(prefix, "gateway")


def gateway_device_name(prefix: str) -> str:
    """Return the name of the gateway's device; it contains a topic prefix that is not the default one.

    So two gateways of one home have different names.
    """
    return "DeepThings" if prefix == DEFAULT_PREFIX else f"DeepThings {prefix}"


def gateway_device(prefix: str, version: str, profiles: Sequence[str] = ()) -> Device:
    """Return the device of the gateway: connectivity, problems, statistics, the profile if any, a reload button."""
    name = gateway_id(prefix)
    return Device(
        id=name,
        base=identifier(prefix),
        information=device_information(gateway_device_name(prefix), name, "Gateway", sw_version=version),
        availability=(gateway_availability(prefix),),
        components={
            "connectivity": _connectivity(prefix),
            "problem": _problem(prefix),
            **_statistics(prefix),
            **(_profile(prefix, profiles) if profiles else {}),
            "reload": {
                "platform": "button",
                "name": "Reload configuration",
                "icon": "mdi:file-refresh",
                "entity_category": "config",
                "command_topic": topics.REQUEST.full_path("reload", prefix=prefix),
                "payload_press": "{}",
            },
        },
    )


def _connectivity(prefix: str) -> Component:
    return {
        "platform": "binary_sensor",
        "name": "Connectivity",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "availability": [],  # always available, as it is to show that the gateway is offline
        "state_topic": topics.BRIDGE_STATE.full_path(prefix=prefix),
        "value_template": "{{ 'ON' if value_json.state == 'online' else 'OFF' }}",
    }


def _problem(prefix: str) -> Component:
    health = topics.BRIDGE_HEALTH.full_path(prefix=prefix)
    return {
        "platform": "binary_sensor",
        "name": "Problem",
        "device_class": "problem",
        "entity_category": "diagnostic",
        "state_topic": health,
        "value_template": "{{ 'ON' if value_json.problems else 'OFF' }}",
        "json_attributes_topic": health,
        "json_attributes_template": "{{ {'problems': value_json.problems} | to_json }}",
    }


def _profile(prefix: str, profiles: Sequence[str]) -> dict[str, Component]:
    return {
        "profile": {
            "platform": "select",
            "name": "Profile",
            "icon": "mdi:home-switch",
            "options": list(profiles),
            "state_topic": topics.PROFILE.full_path(prefix=prefix),
            "command_topic": topics.PROFILE_SET.full_path(prefix=prefix),
        }
    }


def _statistics(prefix: str) -> dict[str, Component]:
    health = topics.BRIDGE_HEALTH.full_path(prefix=prefix)
    return {
        "frames_per_second": {
            "platform": "sensor",
            "name": "Frames per second",
            "icon": "mdi:speedometer",
            "state_class": "measurement",
            "unit_of_measurement": "fps",
            "suggested_display_precision": 1,
            "entity_category": "diagnostic",
            "state_topic": health,
            "value_template": "{{ value_json.frames_per_s }}",
        },
        "dropped_frames": {
            "platform": "sensor",
            "name": "Dropped frames",
            "icon": "mdi:image-broken-variant",
            "state_class": "total_increasing",
            "unit_of_measurement": "frames",
            "entity_category": "diagnostic",
            "state_topic": health,
            "value_template": "{{ value_json.dropped }}",
        },
        "version": {
            "platform": "sensor",
            "name": "Version",
            "icon": "mdi:tag",
            "entity_category": "diagnostic",
            "state_topic": topics.BRIDGE_STATE.full_path(prefix=prefix),
            "value_template": "{{ value_json.version }}",
        },
    }
