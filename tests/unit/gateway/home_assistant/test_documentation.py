"""What docs/home-assistant.md promises is what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

from gateway.configuration.automation import HomeAssistant
from gateway.home_assistant.discovery import discovery
from tests.unit.gateway.home_assistant.homes import AREA, home_of, nodes_of

PAGE = (Path(__file__).parents[4] / "docs/home-assistant.md").read_text()


def test_every_entity_of_the_page_is_there():
    porch = {"coordinates": AREA, "objects": ("person",), "loitering_time": 3}
    door = {"source": "test://", "objects": {"track": ("person", "car")}, "zones": {"porch": porch}}
    messages = discovery(home_of(cameras={"front_door": door}), nodes_of("attic"), "1.0")
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
    defaults = HomeAssistant()
    words = {True: "on", False: "off"}
    assert said == {name: words.get(each, each) for name, each in defaults.model_dump().items()}
