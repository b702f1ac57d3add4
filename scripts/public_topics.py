"""What is said of each public topic in docs/asyncapi.json, beside what the table of topics has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field

from scripts.asyncapi import JPEG, JSON, TEXT, Row
from shared.mqtt import topics
from shared.payloads.base import Message

if TYPE_CHECKING:
    from shared.mqtt.topics import PlainTopic, Topic

Switch = Literal["ON", "OFF"]
Presence = Literal["online", "offline"]

INFO = {
    "title": "DeepThings",
    "version": "1.0.0",
    "description": (
        "What DeepThings says and hears by MQTT. The first level of all topics, `deepthings`, is `mqtt.topic_prefix` "
        "in the configuration. Payloads are JSON where nothing else is said; new fields may appear, so ignore what "
        "you do not know. Operations are the gateway's: it sends what you may subscribe to. Topics below "
        "`deepthings/cluster` are between the gateway and its edges; no promise is made about them."
    ),
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}

PARAMETERS = {
    "camera": "A camera, by its name in the configuration.",
    "label": (
        "What is seen, as the model calls it, in lower case, with _ in the place of everything else than a-z, 0-9, _ "
        "and -. `all` stands for any, except in a topic of snapshots. The last levels of the other topics below "
        "`detections` are no labels."
    ),
    "zone": "A zone of the camera, by its name in the configuration.",
    "command": "What is asked for. An unknown one is answered with those that there are.",
}


class Request(Message):
    """What all requests may say; some name a camera or a node."""

    model_config = ConfigDict(extra="allow")

    transaction: str | int | None = Field(default=None, description="comes back in the response")
    camera: str | None = None
    node: str | None = None


def _told(name: str, topic: Topic[Any], description: str) -> Row:
    """A topic of messages that the gateway publishes."""
    return Row(name, topic.path, topic.message, description, topic.qos, topic.retain)


def _plain(name: str, topic: PlainTopic, payload: object, content: str, description: str) -> Row:
    """A topic of something else that the gateway publishes."""
    return Row(name, topic.path, payload, description, topic.qos, topic.retain, content)


def _setting(name: str, payload: object, content: str, description: str) -> tuple[Row, Row]:
    """A setting of a camera, as it is and as it may be set."""
    state, change = topics.CAMERA_SETTING, topics.CAMERA_SET
    state_path, change_path = (topic.path.replace("{setting}", name) for topic in (state, change))
    kept = f"{description} Kept over restarts; null: nothing is set."
    taken_back = f"{description} An empty payload takes it back; retained ones are ignored."
    return (
        Row(f"{name}State", state_path, payload, kept, state.qos, state.retain, content),
        Row(f"{name}Set", change_path, payload, taken_back, change.qos, change.retain, content, heard=True),
    )


ROWS: tuple[Row, ...] = (
    _told("frame", topics.DETECTIONS, "Everything seen in one frame, for every frame that was processed."),
    _told("objects", topics.OBJECTS, "The objects of one label, or of any, that a camera sees; told on change."),
    _told("zoneObjects", topics.ZONE_OBJECTS, "The same within one zone of the camera."),
    _told("event", topics.EVENTS, "An object begins to count, changes its zones or its being stationary, or is gone."),
    _told("trigger", topics.TRIGGERS, "A word that an automation may wait for: person_appeared, person_in_yard ..."),
    _plain("snapshot", topics.SNAPSHOT, bytes, JPEG, "The picture with boxes; when other objects are there."),
    _plain("labelSnapshot", topics.LABEL_SNAPSHOT, bytes, JPEG, "An object close up; when new or clearly better seen."),
    _plain("cameraAvailability", topics.CAMERA_AVAILABILITY, Presence, TEXT, "Whether the camera gives pictures."),
    _told("cameraStats", topics.CAMERA_STATS, "The camera's account: captured, published, dropped by reason."),
    *_setting("enabled", Switch, TEXT, "Whether the camera is used at all."),
    *_setting("detect", Switch, TEXT, "Whether objects are looked for in its pictures."),
    *_setting("threshold", float | None, JSON, "The median score from which an object counts, whatever is configured."),
    *_setting("fps", float | None, JSON, "Frames a second that are looked at, at the most; null: all."),
    *_setting("labels", tuple[str, ...] | None, JSON, "The labels that are followed."),
    _told("bridgeState", topics.BRIDGE_STATE, "Whether the gateway is there; also when it has gone without a word."),
    _told("bridgeInfo", topics.BRIDGE_INFO, "What the gateway runs: version, model, plan, cameras."),
    _told("bridgeNodes", topics.BRIDGE_NODES, "Every edge: state, address, tiles computed, bytes received and sent."),
    _told("bridgeHealth", topics.BRIDGE_HEALTH, "How the gateway is, when that changes and once a minute."),
    _told("bridgeEvent", topics.BRIDGE_EVENT, "Something happened to the cluster: an edge or a camera came or went."),
    _told("bridgeVerification", topics.BRIDGE_VERIFICATION, "A frame compared with the undivided network, on request."),
    Row(
        "request", topics.REQUEST.path, Request, "Asks something of the gateway; so does an empty payload. Retained "
        "messages are ignored.", topics.REQUEST.qos, heard=True, reply="response",
    ),
    _told("response", topics.RESPONSE, "The answer; also sent to the request's response topic, as MQTT 5 has it."),
)  # fmt: skip
"""All public topics but those of other programs (Home Assistant, Frigate)."""
