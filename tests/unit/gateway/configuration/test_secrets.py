"""!secret and ${ENV}: what is put in, and that it is never told."""

from __future__ import annotations

import json
import logging

import pytest

from gateway.configuration.reading.configuration_file import parse_configuration, read_configuration
from gateway.configuration.summary import summarise, summary_lines
from shared.errors import ConfigurationError

HIDDEN = "hunter2"


def camera(source):
    return f"cameras:\n  front:\n    source: {source}\n"


def test_a_secret_is_what_stands_beside_its_name(reading):
    found = reading(camera("!secret front"), secrets=f"# mine\nfront: rtsp://u:{HIDDEN}$$x@h/\n")
    assert found.require_valid().cameras["front"].source.get_secret_value() == f"rtsp://u:{HIDDEN}$$x@h/"


def test_a_secret_is_text_as_it_is_written_there(reading):
    text = "hooks:\n  webhooks:\n  - url: http://h/\n    secret: !secret sign\n"
    (hook,) = reading(text, secrets="sign: 007").require_valid().hooks.webhooks
    assert hook.secret.get_secret_value() == "007"


def test_a_variable_may_be_a_part_of_a_text_or_a_number(reading):
    found = reading(
        "mqtt: {port: '${PORT}'}\n" + camera("rtsp://u:${PASSWORD}@h/"), PORT="1884", PASSWORD=HIDDEN
    ).require_valid()
    assert found.mqtt.port == 1884
    assert found.cameras["front"].source.get_secret_value() == f"rtsp://u:{HIDDEN}@h/"


@pytest.mark.parametrize(
    ("text", "secrets", "expected"),
    [
        (camera("!secret frnt"), "front: x", "name not found in secrets.yaml; did you mean 'front'?"),
        (camera(f"!secret {HIDDEN}"), "front: x", "name not found in secrets.yaml; write it there, as name: value"),
        (camera("!secret front"), None, "secrets.yaml not found; write the secret there, as name: value"),
        (camera("!secret front"), "", "name not found in secrets.yaml; write it there, as name: value"),
    ],
)
def test_a_secret_that_is_not_there_is_told_without_its_name(told, text, secrets, expected):
    assert told(text, secrets) == [f"deepthings.yaml:3: cameras.front.source: {expected}"]


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ("- a", "secrets.yaml:1: not a list of names with values; write name: value"),
        (f"a: 1\nb: [{HIDDEN}]\nfront: x", "secrets.yaml:2: not a secret; write name: value"),
        (f"front: x\nfront: {HIDDEN}", "secrets.yaml:2: front: written twice; keep one"),
        (f"front: *{HIDDEN}", "secrets.yaml:1: invalid YAML: found undefined alias ...; put a value that "
         "begins with * in quotes"),
    ],
)  # fmt: skip
def test_mistakes_in_the_secrets_have_their_own_file_and_line(told, secrets, expected):
    mistakes = told(camera("!secret front"), secrets)
    assert expected in mistakes
    assert HIDDEN not in str(mistakes)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_secrets_that_others_may_read_are_warned_of(reading, tmp_path, mode):
    reading(camera("!secret front"), secrets="front: test://")
    (tmp_path / "secrets.yaml").chmod(mode)
    (warning,) = parse_configuration(tmp_path / "deepthings.yaml", {}).warnings
    assert (warning.file, warning.right) == (f"{tmp_path}/secrets.yaml", f"run chmod 600 {tmp_path}/secrets.yaml")


def test_secrets_are_not_read_when_none_is_asked_for(reading):
    assert reading(camera("test://"), secrets="- nonsense").mistakes == ()


LEAKS = [
    "mqtt: {port: VALUE}",
    "mqtt: {host: VALUE}",
    "mqtt: VALUE",
    "mqtt: {topic_prefix: VALUE}",
    "cluster: {method: VALUE, grid: VALUE, policy: VALUE, lease: VALUE, listen: VALUE}",
    "objects: {track: [VALUE, VALUE]}",
    "objects: {mask: VALUE}",
    "objects: {mask: [VALUE, '0,0,1,0,1,-7']}",
    "home_assistant: {enabled: VALUE}",
    "cameras: {front: VALUE}",
    "cameras: {front: {source: VALUE, rotate: VALUE, edge: VALUE, fps: VALUE, crop: VALUE, sauce: VALUE}}",
    "cameras: {front: {source: test://, zones: {yard: {coordinates: VALUE, objects: [VALUE]}}}}",
    "hooks: {webhooks: [{url: VALUE, cameras: VALUE, zones: [VALUE], labels: VALUE, events: VALUE}]}",
    "hooks: {webhooks: VALUE}",
]


@pytest.mark.parametrize("text", LEAKS)
@pytest.mark.parametrize("value", ["!secret it", '"${IT}"', '"rtsp://u:hunter2@h/"'])
def test_no_message_tells_a_secret_or_an_address_with_a_password(reading, text, value):
    """Every place where a value may be wrong, with a value that must not be told."""
    found = reading(text.replace("VALUE", value), secrets=f"it: '{HIDDEN} @'", IT=f"{HIDDEN} @").check_labels(
        ["person"]
    )
    assert found.mistakes
    assert HIDDEN not in repr([found.mistakes, found.warnings])


def test_short_secrets_are_not_told_either(reading):
    """These look like words that could be shown."""
    text = """\
mqtt: {topic_prefix: !secret other}
objects: {track: [!secret one, !secret one], filters: {cat: {min_score: !secret one}}}
cameras:
  front: {source: test://, edge: !secret name, zones: {yard: {coordinates: '0,0,1,0,1,1', objects: !secret one}}}
hooks: {webhooks: [{url: http://h/, cameras: !secret one, zones: !secret one, labels: !secret one}]}
home_assistant: {discovery_prefix: !secret other}
"""
    found = reading(text, secrets=f"one: {HIDDEN}\nname: {HIDDEN.title()}\nother: {HIDDEN}x").check_labels(["person"])
    assert len(found.mistakes) >= 6
    assert HIDDEN not in repr([found.mistakes, found.warnings]).lower()


def test_an_address_where_a_key_should_be_is_not_told(told):
    assert told("cameras: {front: {source: test://, 'rtsp://u:hunter2@h/': }}") == [
        "deepthings.yaml:1: cameras.front....: unknown key; known: source, kind, transport, fps, loop, rotate, "
        "crop, stale_after, motion, enabled, edge, friendly_name and 4 more"
    ]


def test_nothing_in_the_summary_is_secret(reading):
    text = camera(f"rtsp://u:{HIDDEN}@h/{HIDDEN}") + (
        f"hooks: {{webhooks: [{{url: 'http://u:{HIDDEN}@h/{HIDDEN}', secret: {HIDDEN}}}], "
        f"commands: [{{command: [{HIDDEN}]}}]}}"
    )
    configuration = reading(text).require_valid()
    assert HIDDEN not in json.dumps(summarise(configuration)) + "".join(summary_lines(configuration))


def test_all_mistakes_are_one_error_and_warnings_are_logged(reading, tmp_path, caplog):
    reading("mqtt: {prt: 5}\nmodle: {}", secrets="")
    with caplog.at_level(logging.WARNING), pytest.raises(ConfigurationError) as refused:
        read_configuration(tmp_path / "deepthings.yaml", {})
    assert str(refused.value).split("\n") == [
        f"{tmp_path}/deepthings.yaml:1: mqtt.prt: unknown key; did you mean 'port'?",
        f"{tmp_path}/deepthings.yaml:2: modle: unknown key; did you mean 'model'?",
    ]
    assert "cameras: there are no cameras" in caplog.text
