"""A real Home Assistant that is stopped and started: it shows what is right then, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from gateway.integrations.home_assistant.announcer import ANNOUNCED_FILE
from shared.mqtt import topics
from shared.network.addresses import LOOPBACK, Address
from tests.harness import broker_at
from tests.home_assistant import running_home_assistant
from tests.home_assistant_versions import installed, matrix
from tests.ports import free_port
from tests.spoken_gateway import complaints, home_of, speaking, supported

pytestmark = [
    pytest.mark.timeout(1500),  # it is installed on first use; after that each test takes some seconds
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture(scope="module", params=matrix())
def python(request):
    return installed(request.param)


@pytest.mark.slow
async def test_what_is_removed_while_home_assistant_is_down_disappears_when_it_is_back(python, tmp_path):
    broker, folder = Address(LOOPBACK, free_port()), tmp_path / "state"
    async with broker_at(broker), running_home_assistant(python, tmp_path / "home") as home:
        await home.set_up_mqtt(broker)
        configuration = supported(home, home_of())
        async with speaking(broker, folder, configuration) as spoken:
            await home.until_states(
                binary_sensor__garage_car_occupancy="off", binary_sensor__garage_person_occupancy="off"
            )
            await home.stop()
            garage = configuration.cameras["garage"]
            less = garage.model_copy(update={"objects": garage.objects.model_copy(update={"track": ("person",)})})
            spoken.configuration = configuration.model_copy(update={"cameras": {"garage": less}})
            spoken.announcer.request_update()

            async def told():
                return await asyncio.to_thread(lambda: "front_door" not in (folder / ANNOUNCED_FILE).read_text())

            await home.until("the removal", told)
            await home.start()
            await home.until_states(
                binary_sensor__front_door_person_occupancy=None,
                switch__front_door_detect=None,
                binary_sensor__garage_car_occupancy=None,
                binary_sensor__garage_person_occupancy="off",
            )
            devices = await home.ask({"type": "config/device_registry/list"})
            assert "Front door" not in {device["name"] for device in devices[0]}
        assert complaints(home) == []


@pytest.mark.slow
async def test_everything_is_right_again_after_restarts(python, tmp_path):
    broker, folder = Address(LOOPBACK, free_port()), tmp_path / "state"
    right = {
        "binary_sensor__front_door_person_occupancy": "on",
        "sensor__front_door_person_count": "1",
        "switch__front_door_detect": "on",
        "sensor__deepthings_pi_1_load": "25.0",
        "binary_sensor__deepthings_connectivity": "on",
    }
    async with running_home_assistant(python, tmp_path / "home") as home, contextlib.AsyncExitStack() as stack:
        brokers = await stack.enter_async_context(contextlib.AsyncExitStack())
        await brokers.enter_async_context(broker_at(broker))
        await home.set_up_mqtt(broker)
        spoken = await stack.enter_async_context(speaking(broker, folder, supported(home, home_of())))
        await home.until_states(binary_sensor__front_door_person_occupancy="off")
        await spoken.count(topics.OBJECTS.full_path("front_door", "person"), "person")
        await home.until_states(**right)
        await home.restart()
        await home.until_states(**right)
        spoken.settled.clear()
        await brokers.aclose()
        await home.until_states(binary_sensor__front_door_person_occupancy="unavailable")
        await brokers.enter_async_context(broker_at(broker))
        await asyncio.wait_for(spoken.settled.wait(), 30)
        await spoken.count(topics.OBJECTS.full_path("front_door", "person"), "person")
        await home.until_states(**right, timeout_s=20)
