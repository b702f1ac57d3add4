"""A real Home Assistant with a login at the broker of a gateway with keys."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl

import httpx
import pytest

from camera_sources.pictures.image_decoding import decode_picture
from camera_sources.source import FOOTAGE
from gateway.authority.cluster_keys import open_cluster_keys
from shared.files.program_folder import default_cache
from shared.mqtt import topics
from shared.mqtt.broker_login import Login
from shared.mqtt.bus import Bus
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import LOOPBACK, Address
from shared.process.local_cluster import LocalCluster
from tests.commands import run
from tests.harness import connected, until_listening
from tests.home_assistant import running_home_assistant
from tests.home_assistant_versions import installed
from tests.members import edge_keys
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # it is installed on first use

HOUSE = {
    "cameras": {"street": {"source": str(FOOTAGE), "fps": 5}},
    "home_assistant": {"per_entity": True},  # which all versions of Home Assistant understand
}

SWITCHED_OFF = ("street", "detect"), b"OFF"


async def test_home_assistant_shows_the_stream_of_the_page_until_its_login_is_removed(tmp_path):
    """As docs/home-assistant.md has it: the address from the page, without a name or a password."""
    file, state, page = tmp_path / "house.yaml", tmp_path / "state", Address(LOOPBACK, free_port())
    file.write_text(json.dumps(HOUSE | {"state": str(state), "page": {"listen": "0.0.0.0"}}))  # noqa: S104
    ports = {"cluster": free_port(), "cluster-tls": free_port(), "tls": free_port(), "join": free_port(), "data": 0}
    ports |= {"page": page.port}
    pi = edge_keys(open_cluster_keys(state, OWN_NODE, "never"), "pi", tmp_path / "pi")
    options = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    async with (
        LocalCluster(Address(LOOPBACK, ports["cluster"]), tmp_path / "logs") as processes,
        running_home_assistant(installed(), tmp_path / "home-assistant") as assistant,
    ):
        public = Address(LOOPBACK, free_port())
        gateway = await processes.start(
            "gateway", "gateway", "--config", str(file), "--listen", "0.0.0.0", "--port", str(public.port), *options,  # noqa: S104
        )  # fmt: skip
        await until_listening(page, gateway)
        await processes.start(
            "pi", "edge", "--gateway", f"{LOOPBACK}:{ports['cluster-tls']}", "--keys", str(pi),
            "--cache", str(default_cache()), "--max-cores", "1",
        )  # fmt: skip
        added = await asyncio.to_thread(run, "user", "add", "homeassistant", "--state", str(state), "--json")
        login = "homeassistant", json.loads(added.stdout)["password"]
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        async with httpx.AsyncClient(base_url=f"https://{page}", verify=unverified, auth=login) as browser:
            path = (await browser.get("/api/cameras/street/stream_path")).json()["path"]

        done = await assistant.set_up_mjpeg("Street live", f"https://{page}{path}")
        assert done["type"] == "create_entry", done
        await assistant.until_states(30, camera__street_live="idle")
        assert decode_picture(await seen(assistant)).shape == (576, 768, 3)
        wrong = await assistant.set_up_mjpeg("Another", f"https://{page}{path[:-2]}")
        assert (wrong["type"], wrong["errors"]) == ("form", {"username": "invalid_auth"})

        states = await assistant.states()
        stream = states["camera.street_live"]["attributes"]["entity_picture"].replace(
            "camera_proxy", "camera_proxy_stream"
        )
        async with httpx.AsyncClient(base_url=f"http://{LOOPBACK}:{assistant.port}", timeout=20) as viewer:
            assert await pictures_in(viewer, stream, 3) >= 3
            removed = await asyncio.to_thread(run, "user", "remove", "homeassistant", "--state", str(state))
            assert removed.returncode == 0, removed.stderr
            with pytest.raises(AssertionError):
                await assistant.get("camera_proxy/camera.street_live")


async def seen(assistant):
    """A frame through Home Assistant; it may have to wait for the edge."""

    async def picture():
        with contextlib.suppress(AssertionError):
            return await assistant.get("camera_proxy/camera.street_live")

    return await assistant.until("a picture", picture, 60)


async def pictures_in(viewer, path, number):
    """How many pictures come, until there are so many."""
    read = b""
    async with viewer.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("multipart/x-mixed-replace")
        async for part in answer.aiter_raw():
            read += part
            if (found := read.count(b"\xff\xd8\xff")) >= number:
                return found
    return read.count(b"\xff\xd8\xff")


async def test_home_assistant_logs_in_sees_and_switches_until_its_login_is_removed(tmp_path):
    public = Address(LOOPBACK, free_port())
    file, state = tmp_path / "house.yaml", tmp_path / "state"
    file.write_text(json.dumps(HOUSE | {"state": str(state)}))
    ports = {"cluster": free_port(), "cluster-tls": free_port(), "tls": free_port(), "join": free_port(), "data": 0}
    options = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]

    async def user(*words):
        done = await asyncio.to_thread(run, "user", *words, "--state", str(state))
        assert done.returncode == 0, done.stderr
        return done.stdout

    async with (
        LocalCluster(Address(LOOPBACK, ports["cluster"]), tmp_path / "logs") as processes,
        running_home_assistant(installed(), tmp_path / "home-assistant") as assistant,
    ):
        gateway = await processes.start(
            "gateway", "gateway", "--config", str(file), "--listen", "0.0.0.0", "--port", str(public.port), *options,  # noqa: S104
        )  # fmt: skip
        await until_listening(public, gateway)
        login = Login("homeassistant", json.loads(await user("add", "homeassistant", "--json"))["password"])
        witness = Login("witness", json.loads(await user("add", "witness", "--json"))["password"])

        await assistant.set_up_mqtt(public, login)
        await assistant.until_states(60, binary_sensor__deepthings_connectivity="on")

        bus, off = Bus(public, "witness", login=witness), asyncio.Event()
        bus.on_plain(topics.CAMERA_SETTING, lambda it: off.set() if (it.names, it.payload) == SWITCHED_OFF else None)
        async with connected(bus):
            where = topics.CAMERA_SET.full_path("street", "detect")
            await assistant.call("mqtt.publish", topic=where, payload="OFF")
            for topic in (topics.PLAN, topics.BRIDGE_STATE):  # what is not its business is not taken
                await assistant.call("mqtt.publish", topic=topic.full_path(), payload="forged")
            await asyncio.wait_for(off.wait(), 20)

        await user("remove", "homeassistant")
        await assistant.until_states(60, binary_sensor__deepthings_connectivity="unavailable")
        log = gateway.log.read_text()
        assert login.password not in log
        assert "forged" not in log
