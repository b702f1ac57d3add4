"""Describes a camera as a device of Home Assistant. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gateway.cameras.area_switches import switched_areas
from gateway.cameras.motion_states import MOTION_SETTING
from gateway.configuration.cameras import UNCONFIGURED_CAMERA
from gateway.integrations.home_assistant.availability import camera_availability, gateway_availability
from gateway.integrations.home_assistant.device import Device, capitalised, device_information, identifier, readable
from gateway.integrations.home_assistant.gateway_device import gateway_id
from gateway.integrations.home_assistant.sightings import sighting_components
from shared.mqtt import topics

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from gateway.cameras.area_switches import SwitchedArea
    from gateway.configuration.cameras import CameraSection
    from gateway.configuration.objects import ObjectsSection
    from gateway.integrations.home_assistant.device import Component

BY_HAND_MODEL = "Camera (started by hand)"

AGENT_CONTROLS = ("enabled", "fps", "restart")
"""Controls that act on the agent through its edge. Cameras that were started by hand do not have them."""

MOTION = "{{ value if value in ('ON', 'OFF') else None }}"
"""The template for motion. Home Assistant shows None as unknown."""

NUMBER = "{{ value_json }}"
"""The template for numbers. It turns null into None, which Home Assistant accepts as a number without a value."""


def camera_device(
    prefix: str, name: str, camera: CameraSection, objects: ObjectsSection, labels: Sequence[str]
) -> Device:
    """Return the device of a camera, with its detections, pictures and controls; `labels` are the followed labels."""
    its_id = identifier(prefix, "camera", name)
    return Device(
        id=its_id,
        base=name,
        information=device_information(
            camera.friendly_name or capitalised(readable(name)),
            its_id,
            BY_HAND_MODEL if camera is UNCONFIGURED_CAMERA else "Camera",
            via_device=gateway_id(prefix),
        ),
        availability=(gateway_availability(prefix), camera_availability(prefix, name)),
        components={
            **_controls(prefix, name, () if camera is UNCONFIGURED_CAMERA else AGENT_CONTROLS),
            **(_pictures(prefix, name) if camera.snapshots.enabled else {}),
            **_area_switches(prefix, name, switched_areas(camera, objects)),
            **(_motion(prefix, name) if camera.motion.enabled else {}),
            **sighting_components(prefix, name, camera, labels),
        },
    )


def describes_camera_by_hand(payload: str) -> bool:
    """Return whether a discovery payload describes a camera that was started by hand."""
    return json.dumps(BY_HAND_MODEL) in payload


def _controls(prefix: str, name: str, of_agent: Collection[str]) -> dict[str, Component]:
    """Return the controls. They are also available while the camera is offline, so that it can be enabled again.

    `of_agent` are the controls of AGENT_CONTROLS that the camera has.
    """
    controls: dict[str, Component] = {
        "connectivity": {
            "platform": "binary_sensor",
            "name": "Connectivity",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": topics.CAMERA_AVAILABILITY.full_path(name, prefix=prefix),
            "payload_on": "online",
            "payload_off": "offline",
        },
        "enabled": {"platform": "switch", "name": "Enabled", "icon": "mdi:cctv", **_topics_of(prefix, name, "enabled")},
        "detect": {
            "platform": "switch", "name": "Detect", "icon": "mdi:motion-sensor", **_topics_of(prefix, name, "detect"),
        },
        "threshold": {
            "platform": "number", "name": "Threshold", "icon": "mdi:tune-vertical", "entity_category": "config",
            "min": 0, "max": 1, "step": 0.01, "mode": "slider", "value_template": NUMBER,
            **_topics_of(prefix, name, "threshold"),
        },
        "fps": {
            "platform": "number", "name": "Frame rate limit", "icon": "mdi:speedometer", "entity_category": "config",
            "min": 0.1, "max": 240, "step": 0.1, "mode": "box", "unit_of_measurement": "fps",
            "value_template": NUMBER, **_topics_of(prefix, name, "fps"),
        },
        "restart": {
            "platform": "button", "name": "Restart", "device_class": "restart", "entity_category": "config",
            "command_topic": topics.REQUEST.full_path("restart_camera", prefix=prefix),
            "payload_press": json.dumps({"camera": name}),
        },
    }  # fmt: skip
    wanted = {key: control for key, control in controls.items() if key in of_agent or key not in AGENT_CONTROLS}
    return {key: {**control, "availability": [gateway_availability(prefix)]} for key, control in wanted.items()}


def _topics_of(prefix: str, name: str, setting: str) -> Component:
    return {
        "state_topic": topics.CAMERA_SETTING.full_path(name, setting, prefix=prefix),
        "command_topic": topics.CAMERA_SET.full_path(name, setting, prefix=prefix),
    }


def _area_switches(prefix: str, name: str, areas: Iterable[SwitchedArea]) -> dict[str, Component]:
    """Return a switch for each zone and mask; they are also available while the camera is offline."""
    found: dict[str, Component] = {}
    for area in areas:
        state, change = (
            (topics.ZONE_SWITCH, topics.ZONE_SET) if area.is_zone else (topics.CAMERA_SETTING, topics.CAMERA_SET)
        )
        title = f"{readable(area.name)} zone" if area.is_zone else f"mask {area.title}"
        found[f"{area.name}_ZONE_enabled" if area.is_zone else area.name] = {
            "platform": "switch",
            "name": capitalised(title),
            "icon": "mdi:vector-polygon" if area.is_zone else "mdi:texture-box",
            "entity_category": "config",
            "availability": [gateway_availability(prefix)],
            "state_topic": state.full_path(name, area.name, prefix=prefix),
            "command_topic": change.full_path(name, area.name, prefix=prefix),
        }
    return found


def _motion(prefix: str, name: str) -> dict[str, Component]:
    return {
        "motion": {
            "platform": "binary_sensor",
            "name": "Motion",
            "device_class": "motion",
            "state_topic": topics.CAMERA_SETTING.full_path(name, MOTION_SETTING, prefix=prefix),
            "value_template": MOTION,
        }
    }


def _pictures(prefix: str, name: str) -> dict[str, Component]:
    picture = topics.SNAPSHOT.full_path(name, prefix=prefix)
    return {
        "live_view": {"platform": "camera", "name": "Live view", "topic": picture},
        "snapshot": {
            "platform": "image",
            "name": "Snapshot",
            "icon": "mdi:image",
            "image_topic": picture,
            "content_type": "image/jpeg",
        },
        "snapshot_now": {
            "platform": "button",
            "name": "Snapshot now",
            "icon": "mdi:camera",
            "command_topic": topics.REQUEST.full_path("snapshot", prefix=prefix),
            "payload_press": json.dumps({"camera": name}),
        },
    }
