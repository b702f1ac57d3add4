from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.init import answers
from gateway.init.documents import append_secrets, write_texts, yaml_quoted

SECRET = "s3cr3t"  # noqa: S105

CAMERAS = {
    "door": f"rtsp://me:{SECRET}@192.168.1.20/stream2",
    "yard": "http://192.168.1.21/picture.jpg",
    "shed": "/dev/video0",
    "hall": "test://64x48?fps=5",
}

EXPECTED = """\
# yaml-language-server: $schema=/here/deepthings.schema.json
# Written by 'deepthings init'; docs/configuration.md has every key. After a change:
#     deepthings check-config home.yaml

mqtt:
  host: homeassistant.local
  port: 1884
  username: me
  password: !secret mqtt_password  # in secrets.yaml, beside this file

cluster:
  listen: 0.0.0.0  # other devices reach the gateway

objects:
  track: [person, 'traffic light']

cameras:
  door:
    source: !secret door_url
    # zones:  # read from the picture of 'deepthings camera shot door', see docs/zones.md
  yard:
    source: http://192.168.1.21/picture.jpg
  shed:
    source: /dev/video0
    # edge: shed  # the name of the edge on the device that has it
  hall:
    source: 'test://64x48?fps=5'
"""


def answered(mqtt=answers.OWN_BROKER, cameras=CAMERAS, listen="127.0.0.1", track=("person",)):
    return answers.build_configuration(
        mqtt, {name: answers.build_camera(name, url) for name, url in cameras.items()}, listen, track
    )


def house(**told):
    return answers.build_broker("homeassistant.local", told.pop("port", 1883), **told)


def made(configuration, folder, there=""):
    """Write what comes of answers, and read it again."""
    secrets = folder / "secrets.yaml"
    secrets.write_text(there)
    secrets.chmod(0o600)
    texts = write_texts(configuration, "home.yaml", {})
    secrets.write_text(append_secrets(there, texts.secrets))
    (folder / "home.yaml").write_text(texts.configuration)
    return parse_configuration(folder / "home.yaml", {})


def test_what_was_answered_is_written_in_short_and_without_secrets():
    mqtt = house(port=1884, username="me", password=SECRET)
    texts = write_texts(
        answered(mqtt, listen="0.0.0.0", track=("person", "traffic light")), "home.yaml", {},  # noqa: S104
        Path("/here/deepthings.schema.json"),
    )  # fmt: skip
    assert texts.configuration == EXPECTED
    assert texts.secrets == {"mqtt_password": SECRET, "door_url": CAMERAS["door"]}
    assert SECRET not in repr(texts)


def test_without_a_broker_and_a_clone_that_is_said():
    texts = write_texts(answered(cameras={"a": "test://"}), "home.yaml", {})
    assert (
        "# Without mqtt: (the house's broker), everyone uses the gateway's own broker, at port" in texts.configuration
    )
    assert "$schema=deepthings.schema.json\n" in texts.configuration
    assert "deepthings check-config --schema > deepthings.schema.json\n" in texts.configuration
    assert "listen: 127.0.0.1  # other devices cannot reach it\n" in texts.configuration
    assert texts.secrets == {}


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"encrypted": True, "port": 8883}, "  tls: true\n"),
        ({"encrypted": True}, "  port: 1883\n  tls: true\n"),
        ({"ca": Path(__file__), "port": 8883}, f"  tls: {{ca: {__file__}}}\n"),
        ({}, "  host: homeassistant.local\n\n"),
    ],
)
def test_only_what_is_not_usual_is_written_of_a_broker(told, line):
    assert line in write_texts(answered(house(**told)), "home.yaml", {}).configuration


TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], include_characters=" $'\"#:{}!&*"), min_size=1
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    TEXT, TEXT, st.sampled_from(["1e3", "true", "0x1", "${HOME}", "$$", "null", "~", "- a", "<<", "10.0.0.1"]) | TEXT
)
def test_whatever_was_answered_is_what_is_read(tmp_path, username, password, path):
    cameras = {"one": f"rtsp://me:{quote(password, safe='')}@h/x", "two": f"/{path}", "three": "test://"}
    wanted = answered(house(username=username, password=password), cameras)
    reading = made(wanted, tmp_path)
    assert (reading.mistakes, reading.warnings) == ((), ())
    assert reading.configuration.mqtt == wanted.mqtt
    assert reading.configuration.objects == wanted.objects
    assert reading.configuration.cameras == wanted.cameras
    assert reading.configuration.cluster == wanted.cluster


@given(TEXT)
def test_a_user_that_yaml_could_take_for_other_than_text_is_in_quotes(text):
    for word in ("true", "No", "1883", "1e3", "0o17", "null", "a: b", "a #b", "- a", " a", "!secret x", "*a"):
        assert yaml_quoted(word) == f"'{word}'"
    assert yaml_quoted(text) in {text, "'" + text.replace("'", "''") + "'"}


def test_no_secret_that_is_there_is_changed():
    mqtt = house(username="me", password=SECRET)
    there = {"mqtt_password": "old", "mqtt_password_2": "older"}
    texts = write_texts(answered(mqtt), "home.yaml", there)
    assert "password: !secret mqtt_password_3 " in texts.configuration
    assert texts.secrets["mqtt_password_3"] == SECRET
    same = write_texts(answered(mqtt), "home.yaml", {"mqtt_password": SECRET, "door_url": CAMERAS["door"]})
    assert "password: !secret mqtt_password " in same.configuration
    assert same.secrets == {}


def test_secrets_are_added_at_the_end_of_what_is_there():
    assert append_secrets("# mine\na: b", {"c": "d e", "f": "it's"}) == "# mine\na: b\nc: 'd e'\nf: 'it''s'\n"
    assert append_secrets("", {"c": "d"}).splitlines()[1:] == ["c: d"]
