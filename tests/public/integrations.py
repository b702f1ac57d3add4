"""What other programs are told: Home Assistant, Frigate's users, and hooks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from gateway.configuration.objects import ZoneSection
from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.integrations.frigate.counts import FrigateCounts
from gateway.integrations.frigate.events import FrigateEvents
from gateway.integrations.frigate.messages import (
    FrigateMessage,
    availability_message,
    detect_state_message,
    detect_topic,
    parse_detect_command,
    snapshot_message,
)
from gateway.integrations.home_assistant.announcer import BIRTH
from gateway.integrations.home_assistant.discovery import discovery
from gateway.integrations.hooks.command import KEPT_VARIABLES, _environment
from gateway.integrations.hooks.delivery import Delivery
from gateway.integrations.hooks.signing import signature, webhook_headers
from gateway.observation.scene.triggers import triggers_between
from shared.payloads.cluster import NodeReport, Nodes, State
from shared.payloads.observations import EventType, LabelState, ObjectEvent, Trigger
from shared.settings.slugs import RESERVED_SLUGS, slug
from tests.public.shapes import shape_of

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

NODES = Nodes(
    nodes={name: NodeReport(state=State.ONLINE, address="", version="1.0") for name in ("hall", "workshop", "attic")}
)

PERSON = {
    "id": "1607123955.475377-mxklsc", "camera": "door", "label": "person", "score": 0.87, "top_score": 0.95,
    "box": (431.6, 496.2, 544.4, 853.8), "box_rel": (0.3, 0.5, 0.4, 0.9), "zones": ("yard",),
    "entered_zones": ("yard", "drive"), "start_time": 1607123955.475377,
}  # fmt: skip


def home_example(folder: Path) -> Path:
    """Return the worked example in a folder of its own, with the secrets of its example."""
    shutil.copytree(EXAMPLES / "home", folder)
    secrets = folder / "secrets.yaml"
    (folder / "secrets.yaml.example").rename(secrets)
    secrets.chmod(0o600)
    return folder / "deepthings.yaml"


def home_assistant(folder: Path) -> dict[str, Any]:
    """Describe discovery for both examples, and for the smaller one in its other forms."""
    street = parse_configuration(EXAMPLES / "street.yaml", {}).require_valid()
    home = parse_configuration(home_example(folder / "home"), {}).require_valid()
    per_entity = street.model_copy(
        update={"home_assistant": street.home_assistant.model_copy(update={"per_entity": True})}
    )
    other = street.model_copy(update={"mqtt": street.mqtt.model_copy(update={"topic_prefix": "barn/things"})})
    return {
        "born": BIRTH,
        "docs/examples/street.yaml": _decoded(discovery(street, NODES, "1.0", by_hand=("by_hand",))),
        "docs/examples/street.yaml, entity by entity": _decoded(discovery(per_entity, NODES, "1.0")),
        "docs/examples/street.yaml, topic_prefix barn/things": _decoded(discovery(other, NODES, "1.0")),
        "docs/examples/home/deepthings.yaml": _decoded(discovery(home, NODES, "1.0")),
    }


def _decoded(messages: dict[str, str]) -> dict[str, Any]:
    return {topic: json.loads(payload) for topic, payload in messages.items()}


def frigate() -> dict[str, Any]:
    """Describe Frigate's topics for one object and a few counts."""
    events, counts = FrigateEvents("frigate"), FrigateCounts("frigate")
    kinds = (EventType.NEW, EventType.UPDATE, EventType.END)
    told = [
        events.event_message(
            ObjectEvent.model_validate({**PERSON, "type": kind, "stationary": at > 1}), 1607123956.0 + at
        )
        for at, kind in enumerate(kinds)
    ]
    two, one = LabelState(count=2, active=1), LabelState(count=1, active=1)
    changes = counts.update_camera(
        "door", {"person": two, "traffic light": one}, two, {"yard": {"person": one, "all": one}}
    )
    plain = [
        availability_message("frigate", online=True), availability_message("frigate", online=False),
        detect_state_message("frigate", "door", on=True), detect_state_message("frigate", "door", on=False),
        snapshot_message("frigate", "door", "traffic light", b"JPEG"),
    ]  # fmt: skip
    switch = detect_topic("frigate")
    return {
        "events": [_message(message) for message in told],
        "counts": [_message(message) for message in changes],
        "forgotten": [_message(message) for message in counts.forget_camera("door")],
        "plain": [_message(message) for message in plain],
        "listens to": f"{switch.root}/{switch.path}".replace("{camera}", "+"),
        "hears": [
            None if state is None else ("door", state) for state in map(parse_detect_command, (b"ON", b"OFF", b"x"))
        ],
    }


def _message(message: FrigateMessage) -> dict[str, Any]:
    text = message.payload.decode()
    return {
        "topic": message.topic,
        "retain": message.retain,
        "payload": json.loads(text) if text.startswith("{") else text,
    }


def hooks() -> dict[str, Any]:
    """Describe what commands and webhooks get."""
    trigger = Trigger(name="person_appeared", camera="door", label="person", id="1-a", at=1.5)
    event = ObjectEvent.model_validate({**PERSON, "type": EventType.NEW})
    deliveries = {"trigger": Delivery.from_event(trigger), "event": Delivery.from_event(event)}
    return {
        "kept of the environment": sorted(KEPT_VARIABLES),
        "signature": signature("secret", "1700000000", b"{}"),
        **{
            name: {
                "body": shape_of(json.loads(delivery.body)),
                "variables": {key: value for key, value in _environment(delivery).items() if key not in KEPT_VARIABLES},
                "headers": {
                    key: value if key.endswith(("Type", "Event", "Timestamp")) else "differs"
                    for key, value in webhook_headers(delivery, "secret", 1700000000.0).items()
                },
                "headers without a secret": sorted(webhook_headers(delivery, None, 1700000000.0)),
            }
            for name, delivery in deliveries.items()
        },
    }


def automation_words() -> dict[str, Any]:
    """Describe the words that automations wait for, and names as levels of topics."""
    area = ((0, 0), (1, 0), (1, 1))
    zones = {
        "yard": ZoneSection.model_validate({"coordinates": area}),
        "gate": ZoneSection.model_validate({"coordinates": area, "loitering_time": 2}),
    }
    there = {("traffic light", place): "1-a" for place in (None, *zones)}
    told = (*triggers_between({}, there, zones, "door", 1.5), *triggers_between(there, {}, zones, "door", 2.5))
    return {
        "triggers": [trigger.model_dump(mode="json") for trigger in told],
        "reserved": sorted(RESERVED_SLUGS),
        "slugs": {text: slug(text) for text in ("Traffic Light", "Über-Hund", "a/b+c#d", "tv_1")},
    }
