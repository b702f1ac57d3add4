"""The public face is what it was."""

from __future__ import annotations

import json
import socket

import pytest

from tests.public.frozen import FILE, SHOWN, describe, differences, report, text_of


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """The description, made without any network."""

    def refuse(*_):
        pytest.fail("the description of the public face uses a socket")

    with pytest.MonkeyPatch.context() as patch:
        for act in ("connect", "connect_ex", "bind"):
            patch.setattr(socket.socket, act, refuse)
        return describe(tmp_path_factory.mktemp("face"))


def test_the_public_face_is_what_it_was(described):
    differing = report(json.loads(FILE.read_text("utf-8")), described)
    if differing:
        pytest.fail(differing, pytrace=False)


def test_the_file_is_as_it_is_written():
    text = FILE.read_text("utf-8")
    assert text_of(json.loads(text)) == text


def test_every_command_that_prints_json_is_described(described):
    with_json = {name for name, command in described["commands"].items() if "--json" in command["options"]}
    assert set(described["--json"]) == with_json


def test_a_difference_is_told_with_its_place():
    before = {"topics": {"a/b": {"qos": 1, "gone": True}}, "list": [1, 2], "same": 0}
    now = {"topics": {"a/b": {"qos": 0, "new": None}}, "list": [1, 3], "same": 0}
    assert list(differences(before, now)) == [
        "list > [1]: it was 2, and is 3",
        "topics > a/b > gone: gone; it was true",
        "topics > a/b > new: new; it is null",
        "topics > a/b > qos: it was 1, and is 0",
    ]
    assert list(differences({"a": 1, "b": [1]}, {"a": True, "b": [1, 2]})) == [
        "a: it was 1, and is true", "b: it was [1], and is [1, 2]",
    ]  # fmt: skip
    assert report(before, before) == ""
    assert "python -m tests.public.frozen" in report(before, now)


def test_a_section_with_very_many_differences_hides_no_other():
    before, now = ({"many": dict.fromkeys(map(str, range(1000)), value), "z": value} for value in (1, 2))
    told = report(before, now).splitlines()
    assert "many: ... and 985 more" in told
    assert "z: it was 1, and is 2" in told
    assert len(told) == 1 + SHOWN + 2 + 1
