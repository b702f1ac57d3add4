from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from gateway.init import answers
from gateway.init.next_steps import ThisDevice, next_steps
from shared.cli.command_group import cli

EVERYWHERE = "0.0.0.0"  # noqa: S104
DEVICE = ThisDevice("192.168.1.10", "deepthings", "/home/pi/deepthings/.venv/bin/deepthings", "scripts/deepthings")


def steps(listen, mqtt=answers.OWN_BROKER, file="/home/pi/home.yaml", sources=("test://",)):
    cameras = {name: answers.build_camera(name, source) for name, source in zip("abc", sources, strict=False)}
    configuration = answers.build_configuration(mqtt, cameras, listen, ("person",))
    return list(next_steps(configuration, Path(file), DEVICE))


def typed(lines):
    return [line.strip() for line in lines if line.startswith("  ")]


def test_other_devices_are_invited():
    root = "sudo /home/pi/deepthings/.venv/bin/deepthings service install"
    edge = "edge --listen 0.0.0.0"
    assert typed(steps(EVERYWHERE)) == [
        "deepthings gateway --config /home/pi/home.yaml",
        f"{root} gateway --config /home/pi/home.yaml",
        "deepthings invite attic",
        f"scripts/deepthings {edge}",
        f"sudo scripts/deepthings service install {edge}",
        "deepthings status --gateway 192.168.1.10",
    ]


def test_one_device_alone_is_its_own_edge():
    lines = typed(steps("127.0.0.1"))
    assert lines[2] == "deepthings edge --gateway 127.0.0.1"
    assert lines[-1] == "deepthings status --gateway 127.0.0.1"
    assert not [line for line in lines if "192.168" in line]


def test_one_address_is_that_of_all():
    named = [line.split("--gateway ")[1].split()[0] for line in typed(steps("10.0.0.2"))[2:] if "--gateway" in line]
    assert named == ["10.0.0.2"]


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["test://", "/dev/video0"], "Camera b is on one device only: "),
        (["/dev/video0", "a.mp4"], "Cameras a, b are each on one device only: "),
    ],
)
def test_a_camera_of_one_device_needs_the_edge_there(sources, words):
    assert [line for line in steps(EVERYWHERE, sources=sources) if line.startswith(words)]
    assert not [line for line in steps("127.0.0.1", sources=sources) if "edge:" in line]


@pytest.mark.parametrize("listen", [EVERYWHERE, "127.0.0.1", "10.0.0.2"])
def test_every_command_is_one(listen, tmp_path):
    """As far as their options go; nothing is run."""
    file = tmp_path / "my home.yaml"
    file.touch()
    for line in typed(steps(listen, file=str(file))):
        _, *words = [word for word in shlex.split(line) if word != "sudo"]
        if words[:2] == ["service", "install"]:
            words = words[2:]
        command = cli.get_command(None, words[0])
        assert command.make_context(words[0], words[1:]).params


@pytest.mark.parametrize(
    ("mqtt", "words"),
    [
        (answers.OWN_BROKER, "with broker 192.168.1.10, port 1883, without a user name."),
        (answers.build_broker("box.lan", 1883), "when its MQTT integration uses the broker box.lan."),
    ],
)
def test_home_assistant_is_told_which_broker(mqtt, words):
    assert steps(EVERYWHERE, mqtt)[-1].endswith(words)
