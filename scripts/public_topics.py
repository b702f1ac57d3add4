"""The rows of docs/asyncapi.json: all public topics of shared/mqtt/topics.py, and the settings of cameras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gateway.cameras.area_switches import MASK_PREFIX
from gateway.cameras.motion_states import MOTION_SETTING
from scripts.asyncapi import JPEG, JSON, TEXT, Row
from shared.mqtt import topics
from shared.mqtt.topic_kinds import PlainTopic, Plane, Topic, Writer
from shared.payloads.base import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.mqtt.topic_kinds import AnyTopic

Switch = Literal["ON", "OFF"]
Motion = Literal["ON", "OFF", "unknown"]

INFO = {
    "title": "DeepThings",
    "version": "1.0.0",
    "description": (
        "The MQTT interface of DeepThings. The first level of all topics, `deepthings`, is `mqtt.topic_prefix` "
        "in the configuration. Payloads are JSON unless another content type is given; new fields may appear, so "
        "ignore unknown ones. Operations are those of the gateway: it sends the messages that you can subscribe to. "
        "Topics below `deepthings/cluster` are between the gateway and its edges, and can change with any release."
    ),
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}

PARAMETERS = {
    "camera": "The name of a camera in the configuration.",
    "label": (
        "A label of the model in lower case, with _ instead of every character but a-z, 0-9, _ and -. `all` stands for "
        "any label, except in a topic of snapshots. The last levels of the other topics below `detections` are not "
        "labels."
    ),
    "zone": "The name of a zone of the camera in the configuration.",
    "mask": "The section of a mask in the configuration, and its number there: `objects_1`, `motion_1` ...",
    "command": "The name of the request. The response to an unknown one lists those that exist.",
}

SETTINGS: dict[str, tuple[Any, str, str]] = {
    "enabled": (Switch, TEXT, "ON while the camera is used."),
    "detect": (Switch, TEXT, "ON while objects are detected in its pictures."),
    "threshold": (float | None, JSON, "The median score from which an object counts, instead of the configured one."),
    "fps": (float | None, JSON, "The maximum of frames a second that are processed; null: all."),
    "labels": (tuple[str, ...] | None, JSON, "The labels that are followed."),
}
"""The settings of a camera: type of the value, content type, description."""

CHANNEL_NAMES = {"DETECTIONS": "frame", "EVENTS": "event", "TRIGGERS": "trigger"}
"""The names of channels that do not follow from the names of their topics in the table."""

REPLIES = {"request": "response"}
"""The channels of requests, and those of their responses."""


def public_rows() -> Iterator[Row]:
    """Yield a row for each public topic, in the order of the table; the settings of cameras have one each."""
    for constant, topic in vars(topics).items():
        if not isinstance(topic, Topic | PlainTopic) or topic.plane is Plane.CLUSTER or topic is topics.CAMERA_SET:
            continue
        if topic is topics.CAMERA_SETTING:
            for name in SETTINGS:
                yield from _setting_rows(name)
            yield from _mask_rows()
            yield from _motion_rows()
        elif not topic.path.startswith("cluster/"):
            yield _row(constant, topic)


def _row(constant: str, topic: AnyTopic) -> Row:
    first, *others = constant.lower().split("_")
    name = CHANNEL_NAMES.get(constant, first + "".join(map(str.capitalize, others)))
    payload = topic.message if isinstance(topic, Topic) else topic.payload
    return Row(
        name, topic.path, payload, topic.description, topic.qos, topic.retain, _content_type(payload),
        received=topic.writer is Writer.ANYBODY, reply=REPLIES.get(name, ""),
    )  # fmt: skip


def _content_type(payload: object) -> str:
    if payload is bytes:
        return JPEG
    return JSON if isinstance(payload, type) and issubclass(payload, Message) else TEXT


def _setting_rows(name: str) -> Iterator[Row]:
    """Yield the rows of a camera's setting: the topic that reports it, and the topic that sets it."""
    payload, content, description = SETTINGS[name]
    state, change = topics.CAMERA_SETTING, topics.CAMERA_SET
    state_path, change_path = (topic.path.replace("{setting}", name) for topic in (state, change))
    kept = f"{description} Kept over restarts; null: nothing is set."
    reset = f"{description} An empty payload resets it to the configuration; retained messages are ignored."
    yield Row(f"{name}State", state_path, payload, kept, state.qos, state.retain, content)
    yield Row(f"{name}Set", change_path, payload, reset, change.qos, change.retain, content, received=True)


def _mask_rows() -> Iterator[Row]:
    """Yield the rows of the switches of masks, which are settings, too."""
    state, change = (
        topic.path.replace("{setting}", f"{MASK_PREFIX}{{mask}}")
        for topic in (topics.CAMERA_SETTING, topics.CAMERA_SET)
    )
    kept = "OFF while this mask hides nothing, as somebody has switched it off. Kept over restarts."
    reset = "Switches a mask. An empty payload resets it; retained messages are ignored."
    yield Row("maskState", state, Switch, kept, topics.CAMERA_SETTING.qos, topics.CAMERA_SETTING.retain, TEXT)
    yield Row("maskSet", change, Switch, reset, topics.CAMERA_SET.qos, topics.CAMERA_SET.retain, TEXT, received=True)


def _motion_rows() -> Iterator[Row]:
    """Yield the row of motion, which is told beside the settings and cannot be set."""
    path = topics.CAMERA_SETTING.path.replace("{setting}", MOTION_SETTING)
    what = "ON while something moves in the camera's pictures; unknown while nothing measures it."
    yield Row("motionState", path, Motion, what, topics.CAMERA_SETTING.qos, topics.CAMERA_SETTING.retain, TEXT)


ROWS: tuple[Row, ...] = tuple(public_rows())
"""All public topics but those of other programs (Home Assistant, Frigate)."""
