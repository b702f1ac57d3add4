"""What docs/ says of the configuration is what the models are."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from gateway.cluster.victims import VICTIM_POLICIES
from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.configuration.reading.layout import sections
from gateway.configuration.root import Configuration
from gateway.configuration.schema import configuration_schema
from scripts.configuration_tables import TABLE, table, with_tables
from shared.settings.slugs import RESERVED_SLUGS

DOCS = Path(__file__).parents[4] / "docs"
PAGE = (DOCS / "configuration.md").read_text()
SECTIONS = sections(Configuration)

RENEW = "run scripts/configuration_reference.py"


def test_the_tables_are_those_of_the_models():
    assert with_tables(PAGE) == PAGE, RENEW


def test_every_section_has_its_table_once():
    named = [name for _, name, _ in TABLE.findall(PAGE)]
    assert sorted(named) == sorted(section.__name__ for section in SECTIONS)


def test_the_schema_is_that_of_the_models():
    assert json.loads((DOCS / "deepthings.schema.json").read_text()) == json.loads(
        json.dumps(configuration_schema())
    ), RENEW


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.__name__)
def test_every_key_and_every_section_is_explained(section):
    assert section.__doc__
    assert [name for name, field in section.model_fields.items() if not field.description] == []


def test_a_section_is_found_wherever_it_may_be():
    places = {section.__name__: where for section, where in SECTIONS.items()}
    assert places["Configuration"] == [""]
    assert places["WebhookSection"] == ["hooks.webhooks[]"]
    assert places["FilterSection"] == [
        "objects.filters.<name>", "cameras.<name>.objects.filters.<name>", "cameras.<name>.zones.<name>.filters.<name>",
    ]  # fmt: skip


def test_a_table_says_kind_limits_default_and_meaning():
    (mqtt,) = [section for section in SECTIONS if section.__name__ == "MqttSection"]
    assert "| `port` | integer, from 1 to 65535 | `1883` | The broker's port; 8883" in table(mqtt)
    rows = "".join(map(table, SECTIONS))
    assert "| `lease` | duration, from 0.1 to 60 | `1` |" in rows
    assert "| `coordinates` | polygon | required |" in rows
    assert "| `filters` | sections by label |  |" in rows


def test_every_reserved_word_is_named():
    (words,) = re.findall(r"cannot be names: (.*?)\. Labels", PAGE, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", words)) == RESERVED_SLUGS


def test_every_policy_can_be_configured():
    assert set(configuration_schema()["$defs"]["ClusterSection"]["properties"]["policy"]["enum"]) == set(
        VICTIM_POLICIES
    )


def test_the_schema_refuses_what_the_models_refuse():
    told = configuration_schema()
    for section in SECTIONS:
        part = told if section is Configuration else told["$defs"][section.__name__]
        assert part["additionalProperties"] is False
        assert set(part["properties"]) == set(section.model_fields)
    zone = told["$defs"]["ZoneSection"]["properties"]["loitering_time"]
    assert zone["anyOf"][0] == {"type": "number", "minimum": 0, "maximum": 86400}


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_examples_in_the_page_are_right(tmp_path, block):
    (tmp_path / "deepthings.yaml").write_text(block)
    assert parse_configuration(tmp_path / "deepthings.yaml", {"CAMERA_PASSWORD": "x"}).mistakes == ()


def test_messages_in_the_page_are_what_is_said(tmp_path):
    text = "\n\n\ncameras:\n  front_door:\n    zons: {}\n    source: test://\n    stale_after: 5 minutes\n"
    (tmp_path / "deepthings.yaml").write_text(text)
    said = [
        str(mistake).removeprefix(f"{tmp_path}/")
        for mistake in parse_configuration(tmp_path / "deepthings.yaml").mistakes
    ]
    assert said == re.findall(r"^deepthings\.yaml:.*$", PAGE, re.MULTILINE)


def test_the_schema_is_where_the_examples_say():
    for file in (DOCS / "configuration.md", DOCS / "examples" / "home" / "deepthings.yaml"):
        (where,) = re.findall(r"yaml-language-server: \$schema=(\S+)", file.read_text())
        assert (file.parent / where).resolve() == (DOCS / "deepthings.schema.json").resolve()


@pytest.fixture
def home(tmp_path):
    """The worked example, with the passwords of its example."""
    shutil.copytree(DOCS / "examples" / "home", tmp_path / "home")
    (tmp_path / "home" / "secrets.yaml.example").rename(tmp_path / "home" / "secrets.yaml")
    (tmp_path / "home" / "secrets.yaml").chmod(0o600)
    return tmp_path / "home" / "deepthings.yaml"


def test_the_worked_example_is_right(home, nanodet):
    reading = parse_configuration(home, {}).check_labels(nanodet.spec.labels)
    assert (reading.mistakes, reading.warnings) == ((), ())
    configuration = reading.require_valid()
    assert list(configuration.cameras) == ["front_door", "garden", "workshop"]
    assert configuration.cameras["garden"].stale_after == 120
    assert configuration.home_assistant.enabled
    assert len(configuration.hooks.webhooks) == 1


def test_the_worked_example_uses_every_secret_of_its_example(home):
    names = re.findall(r"^(\w+):", (home.parent / "secrets.yaml").read_text(), re.MULTILINE)
    assert names == re.findall(r"!secret (\w+)", home.read_text())
