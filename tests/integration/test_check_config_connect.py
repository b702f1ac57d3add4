"""check-config --connect with a real broker and real cameras."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.cameras import LOGIN, UNSEEN, web_camera
from tests.commands import run
from tests.house_broker import GATEWAY, PASSWORDS, house_broker

REFUSED = "connection refused (nothing listens there: is it running, and is the port right?)"


def check(folder, text):
    file = folder / "deepthings.yaml"
    file.write_text(text)
    done = run("check-config", "--connect", "--json", str(file))
    assert UNSEEN not in done.stdout + done.stderr
    said = json.loads(done.stdout)
    return done.returncode, {trial["what"]: (trial["ok"], trial["said"]) for trial in said["connections"]}


@pytest.fixture(scope="module")
def camera():
    with web_camera("--login", LOGIN, "--size", "320x240") as server:
        yield server


def test_each_camera_and_the_broker_are_tried_and_one_that_fails_is_told(camera, tmp_path):
    code, said = check(
        tmp_path,
        f"""
mqtt: {{host: 127.0.0.1, port: 9}}
cameras:
  good: {{source: "http://{LOGIN}@{camera.address}/stream"}}
  wrong: {{source: "http://me:{UNSEEN}x@{camera.address}/stream"}}
  away: {{source: "rtsp://127.0.0.1:9/stream"}}
  elsewhere: {{source: /nowhere/clip.mp4}}
""",
    )
    assert code == 1
    assert said == {
        "broker 127.0.0.1:9": (False, REFUSED),
        "camera good": (True, "320x240"),
        "camera wrong": (False, "wrong password"),
        "camera away": (False, f"not reachable: {REFUSED}"),
        "camera elsewhere": (None, "its path does not exist on this machine; it belongs to the camera's edge"),
    }


def test_when_all_that_can_be_tried_is_there_it_ends_well(camera, tmp_path):
    code, said = check(tmp_path, f"cameras: {{front: {{source: 'http://{LOGIN}@{camera.address}/picture'}}}}")
    assert (code, said["camera front"]) == (0, (True, "320x240"))


async def test_the_login_to_the_broker_is_tried(tmp_path):
    async with house_broker(tmp_path) as house:
        for password, expected in (
            (PASSWORDS[GATEWAY], (True, "connected")),
            (UNSEEN, (False, "bad user name or password, or none (or its access rules do not allow this client)")),
        ):
            mqtt = f"{{host: 127.0.0.1, port: {house.address.port}, username: {GATEWAY}, password: {password}}}"
            _, said = await asyncio.to_thread(check, tmp_path, f"mqtt: {mqtt}")
            assert said == {f"broker {house.address}": expected}
        await house.stop()
        house.rules = house.rules.replace("topic readwrite homeassistant/#\n", "", 1)
        await house.start()
        mqtt = mqtt.replace(UNSEEN, PASSWORDS[GATEWAY])
        _, said = await asyncio.to_thread(check, tmp_path, f"mqtt: {mqtt}")
        ok, words = said[f"broker {house.address}"]
        assert not ok
        assert words.startswith("connected, but it refuses topics below homeassistant/: not authorised")
