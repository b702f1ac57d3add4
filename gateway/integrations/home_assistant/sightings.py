"""Describes the detections of a camera as entities and device triggers of Home Assistant. Pure.

The keys of components are slugs joined by words in capitals. They are unique, because no slug contains capitals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.integrations.home_assistant.device import capitalised, readable
from gateway.observation.scene.states import ALL_LABELS
from shared.mqtt import topics
from shared.payloads.observations import EventType
from shared.settings.slugs import slug

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.configuration.cameras import CameraSection
    from gateway.integrations.home_assistant.device import Component

OCCUPANCY = "{{ 'ON' if value_json is defined and value_json.count > 0 else 'OFF' }}"
COUNT = "{{ value_json.count if value_json is defined else 0 }}"
"""Templates of occupancy and count. An empty payload, which clears a state, is not JSON; it means no object."""

COUNT_ATTRIBUTES = (
    "{{ {'active': value_json.active, 'degraded': value_json.degraded} | to_json if value_json is defined else '{}' }}"
)
EVENT = "{{ dict(value_json, event_type=value_json.type) | to_json }}"


def sighting_components(prefix: str, name: str, camera: CameraSection, labels: Sequence[str]) -> dict[str, Component]:
    """Return the components of a camera's detections, by key.

    These are occupancy, counts and triggers of the followed `labels`, in the picture and in zones; their snapshots; and
    the last event.
    """
    found: dict[str, Component] = {"event": _event(prefix, name)}
    for label in _with_all(labels):
        found |= _occupancy_and_count(
            topics.OBJECTS.full_path(name, slug(label), prefix=prefix), slug(label), "", label
        )
    for label in labels:
        if camera.snapshots.enabled:
            found[f"{slug(label)}_snapshot"] = {
                "platform": "image",
                "name": f"{capitalised(readable(label))} snapshot",
                "icon": "mdi:image",
                "image_topic": topics.LABEL_SNAPSHOT.full_path(name, slug(label), prefix=prefix),
                "content_type": "image/jpeg",
            }
        found |= _trigger(prefix, name, label, "appeared", f"{slug(label)}_appeared")
        found |= _trigger(prefix, name, label, "left", f"{slug(label)}_left")
    for zone, settings in camera.zones.items():
        zone_labels = [label for label in labels if not settings.objects or label in settings.objects]
        for label in _with_all(zone_labels):
            topic = topics.ZONE_OBJECTS.full_path(name, zone, slug(label), prefix=prefix)
            found |= _occupancy_and_count(topic, f"{zone}_ZONE_{slug(label)}", f"{readable(zone)} ", label)
        for label in zone_labels:
            found |= _trigger(prefix, name, label, f"in {zone}", f"{slug(label)}_in_{zone}")
            found |= _trigger(prefix, name, label, f"left {zone}", f"{slug(label)}_left_{zone}")
            if settings.loitering_time > 0:
                found |= _trigger(prefix, name, label, f"loitering in {zone}", f"{slug(label)}_loitering_in_{zone}")
    return found


def _with_all(labels: Sequence[str]) -> list[str]:
    """Return the labels; if there are several, ALL_LABELS comes first."""
    return [*([ALL_LABELS] if len(labels) > 1 else []), *labels]


def _occupancy_and_count(topic: str, key: str, name_prefix: str, label: str) -> dict[str, Component]:
    """Return occupancy and count of a label. `name_prefix` is the zone and a space; empty for the whole picture."""
    occupancy = f"{name_prefix}occupancy" if label == ALL_LABELS else f"{name_prefix}{readable(label)} occupancy"
    count = f"{name_prefix}{'object' if label == ALL_LABELS else readable(label)} count"
    return {
        f"{key}_occupancy": {
            "platform": "binary_sensor",
            "name": capitalised(occupancy),
            "device_class": "occupancy",
            "state_topic": topic,
            "value_template": OCCUPANCY,
        },
        f"{key}_count": {
            "platform": "sensor",
            "name": capitalised(count),
            "icon": "mdi:counter",
            "state_class": "measurement",
            "state_topic": topic,
            "value_template": COUNT,
            "json_attributes_topic": topic,
            "json_attributes_template": COUNT_ATTRIBUTES,
        },
    }


def _event(prefix: str, name: str) -> Component:
    return {
        "platform": "event",
        "name": "Last event",
        "icon": "mdi:motion-sensor",
        "event_types": [kind.value for kind in EventType],
        "state_topic": topics.EVENTS.full_path(name, prefix=prefix),
        "value_template": EVENT,
    }


def _trigger(prefix: str, name: str, label: str, kind: str, word: str) -> dict[str, Component]:
    """Return a device trigger, which Home Assistant shows as "LABEL" KIND, such as: "person" in yard.

    `word` is the name of the trigger in its payload.
    """
    return {
        f"{slug(label)}_TRIGGER_{kind.replace(' ', '_')}": {
            "platform": "device_automation",
            "automation_type": "trigger",
            "type": kind,
            "subtype": label,
            "topic": topics.TRIGGERS.full_path(name, prefix=prefix),
            "payload": word,
            "value_template": "{{ value_json.name }}",
        }
    }
