"""What docs/home-assistant.md promises is what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from gateway.configuration.automation import HomeAssistantSection
from gateway.integrations.home_assistant.discovery import discovery
from tests.unit.gateway.integrations.home_assistant.homes import AREA, home_of, nodes_of

DOCS = Path(__file__).parents[5] / "docs"
PAGE = (DOCS / "home-assistant.md").read_text()


class Inputs(yaml.SafeLoader):
    """Reads a blueprint; what stands for an input is its name."""


Inputs.add_constructor("!input", lambda _, node: node.value)


def test_every_entity_of_the_page_is_there():
    porch = {"coordinates": AREA, "objects": ("person",), "loitering_time": 3}
    door = {"source": "test://", "objects": {"track": ("person", "car"), "mask": AREA}, "zones": {"porch": porch}}
    messages = discovery(
        home_of(cameras={"front_door": door}, profiles={"home": {}, "away": {}}), nodes_of("attic"), "1.0"
    )
    there = [component for payload in messages.values() for component in json.loads(payload)["cmps"].values()]
    entities = {component.get("default_entity_id") for component in there} - {None}
    named = set(re.findall(r"`([a-z_]+\.(?:front_door|deepthings)[a-z0-9_]*)`", PAGE))
    assert named <= entities
    assert not {entity for entity in entities - named if "car" not in entity and "all" not in entity}
    triggers = {(component["subtype"], component["type"]) for component in there if "subtype" in component}
    for subtype, kind in re.findall(r'"(person)"\s+([a-z]+(?: in)?(?: porch)?)`', PAGE):
        assert (subtype, kind) in triggers


def test_the_keys_of_the_page_have_their_defaults():
    (block,) = re.findall(r"home_assistant:\n((?:     +\w+: .*\n)+)", PAGE)
    said = dict(re.findall(r"(\w+): (\S+)", block))
    defaults = HomeAssistantSection()
    words = {True: "on", False: "off"}
    assert said == {name: words.get(each, each) for name, each in defaults.model_dump().items()}


def test_every_field_of_the_blueprint_is_in_the_table():
    blueprint = yaml.load((DOCS / "blueprints/notification.yaml").read_text(), Inputs)["blueprint"]  # noqa: S506
    (table,) = re.findall(r"\| field \| what it is \|\n\|---\|---\|\n((?:\|.*\n)+)", PAGE)
    cells = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    named = {name for cell in cells for name in cell.replace(", Not", "|Not").split("|")}
    assert named == {field["name"] for field in blueprint["input"].values()}
    assert f"{blueprint['input']['cooldown']['default']} by default" in table


def test_every_input_of_the_blueprint_is_used():
    text = (DOCS / "blueprints/notification.yaml").read_text()
    blueprint = yaml.load(text, Inputs)["blueprint"]  # noqa: S506
    assert set(re.findall(r"!input (\w+)", text)) == set(blueprint["input"])
