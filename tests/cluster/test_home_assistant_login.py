"""A real Home Assistant with a login at the broker of a gateway with keys."""

from __future__ import annotations

import asyncio
import json

import pytest

from camera_sources.source import FOOTAGE
from shared.mqtt import topics
from shared.mqtt.broker_login import Login
from shared.mqtt.bus import Bus
from shared.network.addresses import LOOPBACK, Address
from shared.process.local_cluster import LocalCluster
from tests.commands import run
from tests.harness import connected, until_listening
from tests.home_assistant import installed, running_home_assistant
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]  # it is installed on first use

HOUSE = {
    "cameras": {"street": {"source": str(FOOTAGE), "fps": 5}},
    "home_assistant": {"per_entity": True},  # which all versions of Home Assistant understand
}

SWITCHED_OFF = ("street", "detect"), b"OFF"


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
