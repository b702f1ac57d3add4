from __future__ import annotations

from pathlib import Path

import pytest

from gateway.init import answers
from gateway.init.given import GivenAnswers, given_broker, given_cameras
from shared.errors import ConfigurationError

SECRET = "s3cr3t"  # noqa: S105
LABELS = ("person", "car", "traffic light")


def test_labels_are_those_of_the_model():
    assert answers.parse_labels("person,  traffic light,", LABELS) == ("person", "traffic light")
    with pytest.raises(ConfigurationError, match="did you mean 'person'"):
        answers.parse_labels("persn", LABELS)
    with pytest.raises(ConfigurationError, match="a word is written twice; keep one"):
        answers.parse_labels("car, car", LABELS)


@pytest.mark.parametrize(
    ("text", "encrypted", "expected"),
    [
        ("box.lan", False, ("box.lan", 1883)),
        ("box.lan", True, ("box.lan", 8883)),
        ("box.lan:1", True, ("box.lan", 1)),
        ("[::1]:2", False, ("::1", 2)),
    ],
)
def test_an_address_has_the_usual_port(text, encrypted, expected):
    assert answers.parse_broker_address(text, encrypted=encrypted) == expected


def test_a_path_of_this_device_means_the_same_everywhere(tmp_path, monkeypatch):
    (tmp_path / "clip.mp4").touch()
    monkeypatch.chdir(tmp_path)
    assert answers.build_camera("a", "clip.mp4").source.get_secret_value() == f"{tmp_path}/clip.mp4"
    assert answers.build_camera("a", "elsewhere.mp4").source.get_secret_value() == "elsewhere.mp4"


@pytest.mark.parametrize(
    "source", ["rtsp:/me:s3cr3t@h", "me:s3cr3t@192.168.1.2/x", "rtps://me:s3cr3t@h", "rtsp://s3cr3t\x07@h"]
)
def test_what_is_wrong_with_an_address_is_told_without_it(source):
    with pytest.raises(ConfigurationError, match=r"camera a: |address of camera a: ") as told:
        answers.build_camera("a", source)
    assert SECRET not in str(told.value)


def test_a_password_that_cannot_be_printed_is_not_shown():
    with pytest.raises(ConfigurationError, match="password of the broker: invalid") as told:
        answers.build_broker("h", 1, username="me", password=f"{SECRET}\n")
    assert SECRET not in str(told.value)


def test_options_name_a_broker_or_say_that_there_is_none(tmp_path):
    file = tmp_path / "password"
    file.write_text("s3cr3t\r\n")
    mqtt = given_broker("h:1", "me", file, none=False, encrypted=False, ca=None)
    assert (mqtt.host, mqtt.port, mqtt.username, mqtt.password.get_secret_value()) == ("h", 1, "me", "s3cr3t")
    assert given_broker(None, None, None, none=True, encrypted=False, ca=None) == answers.OWN_BROKER
    assert given_broker(None, None, None, none=False, encrypted=False, ca=None) is None


def test_a_password_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "password").write_bytes(b"\xff")
    with pytest.raises(ConfigurationError, match=r"--password-file .*/password is not text in UTF-8"):
        given_broker("h", "me", tmp_path / "password", none=False, encrypted=False, ca=None)
    with pytest.raises(ConfigurationError, match=r"tls\.ca: file not found"):
        given_broker("h", None, None, none=False, encrypted=True, ca=Path("/nowhere"))


def test_what_options_do_not_say_has_a_default_or_is_missing():
    cameras = given_cameras([("a", "test://"), ("b", "/dev/video0")])
    configuration = GivenAnswers(answers.OWN_BROKER, cameras, (), None).build_configuration()
    assert list(configuration.cameras) == ["a", "b"]
    assert configuration.objects.track == ("person",)
    assert configuration.cluster.listen == "127.0.0.1"
    with pytest.raises(ConfigurationError, match="--camera NAME=ADDRESS"):
        GivenAnswers(answers.OWN_BROKER, {}, (), None).build_configuration()
    with pytest.raises(ConfigurationError, match=r"write --broker HOST\[:PORT\] or --no-broker$"):
        GivenAnswers(None, cameras, (), None).build_configuration()
