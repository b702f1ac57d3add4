"""What the documentation lists is what there is: methods, decoders, topics, payloads, settings, reasons, links."""

from __future__ import annotations

import json
import re

import pytest

from gateway.cameras.mqtt_values import CAMERA_SETTINGS, encode_setting, with_setting
from gateway.cameras.overrides import Overrides
from gateway.planning.methods import Method
from shared.detection.decoding.recognition import FAMILIES
from shared.model.spec import ModelSpec
from shared.mqtt import topics
from shared.mqtt.topic_kinds import PlainTopic, Topic, Writer
from shared.payloads.cluster import FrameDetections
from shared.payloads.frames import Outcome
from shared.settings.slugs import RESERVED_SLUGS
from tests.documents import DOCUMENTS, ROOT, tables


def test_every_method_is_in_the_documents():
    text = (ROOT / "docs" / "methods.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)`", text, re.MULTILINE)) == {str(method) for method in Method}


def test_the_description_of_a_model_in_the_documents_is_one():
    (example,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "models.md").read_text(), re.DOTALL)
    assert ModelSpec.model_validate_json(example, extra="forbid").name == "mine"


def test_every_decoder_is_in_the_table():
    text = (ROOT / "docs" / "models.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) == set(FAMILIES)


def test_the_detections_of_the_readme_are_what_the_model_says():
    (example,) = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    detections = FrameDetections.model_validate_json(example, extra="forbid")
    assert json.loads(example) == json.loads(detections.model_dump_json())


WRITERS = {
    "gateway": Writer.GATEWAY, "edge": Writer.EDGE, "owner": Writer.EDGE, "thief": Writer.EDGE, "you": Writer.ANYBODY,
}  # fmt: skip

TOPICS = [topic for topic in vars(topics).values() if isinstance(topic, Topic | PlainTopic)]


def test_the_table_of_topics_is_complete_and_true():
    documented = [
        (path.strip("`"), payload, WRITERS[writer], int(qos), {"yes": True, "no": False}[retained])
        for path, payload, writer, qos, retained, _ in tables(ROOT / "docs" / "topics.md", 6)
    ]
    known = {
        (
            re.sub(r"{(\w+)}", r"<\1>", topic.path),
            topic.message.__name__ if isinstance(topic, Topic) else topic.content,
            topic.writer,
            topic.qos,
            topic.retain,
        )
        for topic in TOPICS
    }
    assert set(documented) == known
    assert len(documented) == len(known)


def test_the_examples_of_payloads_are_what_the_gateway_says():
    """Of every public topic with a message there is one, with all its fields; that of frames is in the README."""
    text = (ROOT / "docs" / "topics.md").read_text()
    under_its_topic = r"^`([\w/]+)`(?:(?!\n\n).)*:\n\n```json\n((?:(?!```).)*)```"
    examples = re.findall(under_its_topic, text, re.MULTILINE | re.DOTALL)
    assert len(examples) == text.count("```json")
    shown = set()
    for where, example in examples:
        (topic,) = [one for one in TOPICS if isinstance(one, Topic) and re.fullmatch(levels(one), where)]
        message = topic.message.model_validate_json(example, extra="forbid")
        assert json.loads(example) == json.loads(message.model_dump_json()), where
        shown.add(topic.path)
    public = {one.path for one in TOPICS if isinstance(one, Topic) and not one.path.startswith("cluster/")}
    assert shown == public - {topics.DETECTIONS.path, topics.ZONE_OBJECTS.path}


def levels(topic):
    """A pattern of its topics; a reserved word is no name."""
    name = rf"(?!(?:{'|'.join(RESERVED_SLUGS)})\\b)[^/]+"
    return re.sub(r"{\w+}", name, topic.path)


def test_every_setting_of_a_camera_is_in_the_table_and_is_told_as_it_says():
    rows = [row for row in tables(ROOT / "docs" / "topics.md", 4) if row[2].startswith("`")]
    assert [setting.strip("`") for setting, *_ in rows] == list(CAMERA_SETTINGS)
    for setting, payload, state, _ in ([cell.strip("`") for cell in row] for row in rows):
        value = getattr(with_setting(Overrides(), setting, payload.encode()), setting)
        assert encode_setting(value).decode() == state


def test_every_reason_for_a_drop_is_explained():
    text = (ROOT / "docs" / "topics.md").read_text()
    reasons = set(re.findall(r"^\| `(\w+)` \| [a-z]", text, re.MULTILINE))
    assert reasons == {str(outcome) for outcome in Outcome} - {"published"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_link_of_a_document_is_broken(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
