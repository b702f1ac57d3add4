from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.systemd.unit import Unit, quote_unit_word, read_unit


def unit(role="edge", *arguments, **more):
    return Unit(role, Path("/opt/deepthings/.venv/bin/deepthings"), arguments, "deepthings", **more)


def setting(text, name):
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def test_a_unit_starts_the_command_with_its_options():
    text = unit("edge", "--gateway", "192.168.1.10", "--listen", "0.0.0.0").text()  # noqa: S104
    assert setting(text, "ExecStart") == [
        "/opt/deepthings/.venv/bin/deepthings edge --gateway 192.168.1.10 --listen 0.0.0.0"
    ]
    assert (setting(text, "Type"), setting(text, "Restart")) == (["notify"], ["always"])
    assert setting(text, "StartLimitIntervalSec") == ["0"]


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("--name", "--name"),
        ("a b", '"a b"'),
        ("100%", "100%%"),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("", '""'),
        ("two\nlines", '"two\\nlines"'),
        ("; rm -rf /", '"; rm -rf /"'),
    ],
)
def test_a_word_is_written_as_systemd_reads_it(word, written):
    assert quote_unit_word(word) == written


def test_a_dollar_in_the_command_is_no_variable():
    assert '"$$HOME;"' in unit("camera", "$HOME;").text()


def test_only_a_gateway_reads_its_configuration_again():
    assert setting(unit("gateway").text(), "ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert setting(unit("edge").text(), "ExecReload") == []


def test_a_user_with_a_home_keeps_its_own_folders():
    assert setting(unit().text(), "StateDirectory") == ["deepthings"]
    assert setting(unit().text(), "ProtectHome") == ["read-only"]
    at_home = unit(own_folders=False).text()
    assert setting(at_home, "StateDirectory") == []
    assert setting(at_home, "ProtectHome") == ["no"]


def test_each_camera_has_a_unit_of_its_own():
    assert unit("camera", camera="front_door").name == "deepthings-camera-front_door"
    assert unit("edge").name == "deepthings-edge"


def test_what_an_older_systemd_does_not_know_is_left_out():
    assert "RestartSteps" not in unit().text(252)
    assert setting(unit().text(254), "RestartMaxDelaySec") == ["5min"]


def test_what_was_installed_can_be_read_again():
    written = unit("gateway", "--config", "/etc/a b%.yaml", environment={"XDG_STATE_HOME": "/var/lib"})
    found = read_unit(written.text())
    assert found is not None
    assert (found.arguments, found.user, found.environment) == (
        written.arguments, "deepthings", {"XDG_STATE_HOME": "/var/lib"},
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["", "[Service]\nExecStart=/bin/true", "Facts={", "Facts=[]", 'Facts={"role": "edge"}']
)
def test_the_unit_of_another_program_is_none_of_ours(text):
    assert read_unit(text) is None
