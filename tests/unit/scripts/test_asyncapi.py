from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Literal

import pytest
from pydantic import ValidationError

from gateway.cameras.mqtt_values import CAMERA_SETTINGS as GATEWAY_SETTINGS
from scripts.asyncapi import JSON, TEXT, Row, document, schemas
from scripts.public_topics import INFO, PARAMETERS, ROWS, SETTINGS
from shared.mqtt import topics
from shared.mqtt.topic_kinds import DEFAULT_PREFIX, PlainTopic, Topic
from shared.payloads.base import Message
from shared.payloads.bridge import Request

ROOT = Path(__file__).parents[3]


class Door(Message):
    """A door."""

    open: bool
    corners: tuple[int, int] = (0, 0)
    kind: tuple[int, str] = (0, "")


DOOR_ROWS = [
    Row("door", "doors/{door}/state", Door, "How it is.", qos=1, retain=True),
    Row("word", "doors/{door}/word", Literal["open", "shut"], "The same in a word.", qos=0, content=TEXT),
    Row("doorSet", "doors/{door}/set", Door, "Moves it.", received=True, reply="door"),
]


@pytest.fixture(scope="module")
def doors():
    return document(DOOR_ROWS, {"door": "A door's name."}, {"title": "Doors", "version": "1"}, "house")


def resolved(whole, pointer):
    found = whole
    for step in pointer.removeprefix("#/").split("/"):
        found = found[step]
    return found


def references(part):
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_what_is_in_docs_is_what_the_models_say():
    """When this fails: .venv/bin/python scripts/topics_reference.py"""
    wanted = runpy.run_path(str(ROOT / "scripts" / "topics_reference.py"))["files"]()
    there = [Path("asyncapi.json"), *(path.relative_to(ROOT / "docs") for path in (ROOT / "docs/schemas").iterdir())]
    assert sorted(there) == sorted(wanted)
    for path, text in wanted.items():
        assert (ROOT / "docs" / path).read_text("utf-8") == text, path


def test_every_public_topic_is_described():
    public = {
        topic.path: topic
        for topic in vars(topics).values()
        if isinstance(topic, Topic | PlainTopic) and topic.root is None and not topic.path.startswith("cluster/")
    }
    for row in ROWS:
        path = row.path if row.path in public else row.path.replace(row.path.split("/")[2], "{setting}")
        topic = public[path]
        assert (row.qos, row.retain) == (topic.qos, topic.retain), row.name
        if isinstance(topic, Topic):
            assert row.payload is topic.message
    described = {row.path for row in ROWS}
    missing = {path for path in public if path not in described and "{setting}" not in path}
    assert missing == set()


def test_every_setting_of_a_camera_is_described():
    assert sorted(SETTINGS) == sorted(GATEWAY_SETTINGS)


def test_all_references_lead_somewhere_and_all_names_of_levels_are_explained():
    whole = document(ROWS, PARAMETERS, INFO, DEFAULT_PREFIX)
    pointers = set(references(whole))
    assert len(pointers) > 50
    for pointer in pointers:
        assert resolved(whole, pointer)
    assert set(PARAMETERS) == set(whole["components"]["parameters"])


def test_names_and_addresses_are_there_once():
    assert len({row.name for row in ROWS}) == len({row.path for row in ROWS}) == len(ROWS)


def test_a_channel_is_below_the_prefix_and_names_its_parameters(doors):
    channel = doors["channels"]["door"]
    assert channel["address"] == "house/doors/{door}/state"
    assert channel["description"] == "How it is."
    assert channel["parameters"] == {"door": {"$ref": "#/components/parameters/door"}}


def test_what_is_told_is_sent_and_what_is_heard_is_received(doors):
    told, heard = doors["operations"]["tellDoor"], doors["operations"]["hearDoorSet"]
    assert (told["action"], heard["action"]) == ("send", "receive")
    assert told["bindings"]["mqtt"] == {"qos": 1, "retain": True, "bindingVersion": "0.2.0"}
    assert heard["reply"] == {"channel": {"$ref": "#/channels/door"}}


def test_a_word_is_plain_text_of_a_few(doors):
    message = doors["components"]["messages"]["word"]
    assert message["contentType"] == TEXT
    assert message["payload"] == {"type": "string", "enum": ["open", "shut"]}


def test_what_is_told_has_all_fields_and_what_is_heard_may_leave_some_out(doors):
    told, heard = (
        resolved(doors, doors["components"]["messages"][name]["payload"]["$ref"]) for name in ("door", "doorSet")
    )
    assert told["required"] == ["open", "corners", "kind"]
    assert heard["required"] == ["open"]
    assert doors["components"]["messages"]["door"]["contentType"] == JSON


def test_a_tuple_of_one_kind_is_an_array_of_it(doors):
    door = resolved(doors, doors["components"]["messages"]["door"]["payload"]["$ref"])["properties"]
    assert {key: door["corners"][key] for key in ("type", "items", "minItems", "maxItems")} == {
        "type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2,
    }  # fmt: skip
    assert door["kind"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]


def test_no_public_payload_needs_words_that_asyncapi_does_not_know():
    assert "prefixItems" not in json.dumps(document(ROWS, PARAMETERS, INFO, DEFAULT_PREFIX))


def test_each_model_has_a_schema_that_is_complete_in_itself():
    made = schemas(ROWS)
    assert {"FrameDetections", "LabelState", "ObjectEvent", "Trigger", "BridgeState", "Request"} <= set(made)
    for schema in made.values():
        assert schema["$schema"].endswith("2020-12/schema")
        for pointer in references(schema):
            assert resolved(schema, pointer)


def test_a_request_may_say_more_than_we_know():
    assert Request.model_validate({"transaction": 7, "camera": "front", "more": 1}).transaction == 7
    with pytest.raises(ValidationError):
        Request.model_validate({"camera": 1})
