"""The blueprint and the example with a light, in a real Home Assistant that hears real messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from shared.mqtt import topics
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.observations import Trigger
from tests.harness import broker_at
from tests.home_assistant import running_home_assistant
from tests.home_assistant_versions import installed, matrix
from tests.ports import free_port
from tests.spoken_gateway import JPEG, complaints, home_of, speaking, supported

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),  # it is installed on first use
    pytest.mark.asyncio(loop_scope="module"),
]

DOCS = Path(__file__).parents[2] / "docs"
BLUEPRINT = DOCS / "blueprints/notification.yaml"
EXAMPLES = DOCS / "examples/home/automations.yaml"
NOTIFY = "notify.persistent_notification"
COOLDOWN_S = 6.0
PICTURE = "image.front_door_person_snapshot"


@pytest.fixture(scope="module", params=matrix())
def python(request):
    return installed(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(python, tmp_path_factory):
    broker = Address(LOOPBACK, free_port())
    folder = tmp_path_factory.mktemp("home") / "home"
    async with broker_at(broker), running_home_assistant(python, folder) as home:
        await home.set_up_mqtt(broker)
        yield broker, home


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared, tmp_path):
    """A Home Assistant with a gateway that speaks to it, and a spy that says which services are called."""
    broker, home = shared
    yard = {"front_yard": {"coordinates": ((0, 0), (1, 0), (1, 1))}}
    door = {"source": "test://", "objects": {"track": ("person", "traffic light", "car")}, "zones": yard}
    configuration = supported(home, home_of(cameras={"front_door": door}))
    async with speaking(broker, tmp_path / "state", configuration) as spoken:
        await home.until_states(binary_sensor__front_door_person_occupancy="off")
        for domain in ("notify", "light"):
            await home.automate(
                f"spy_{domain}",
                {"platform": "event", "event_type": "call_service", "event_data": {"domain": domain}},
                {
                    "service": "mqtt.publish",
                    "data": {
                        "topic": "deepthings/cameras/heard/by/set",
                        "payload": "{{ trigger.event.data | to_json }}",
                    },
                },
            )
        yield home, spoken
    await home.forget(broker)


async def use(home, tmp_path, **automations):
    """Automations of the blueprint, by name, with these inputs."""
    path = home.add_blueprint(BLUEPRINT)
    file = tmp_path / "notifications.yaml"
    always = {"camera": "front_door", "notify_service": NOTIFY}
    uses = {name: {"path": path, "input": {**always, **given}} for name, given in automations.items()}
    file.write_text(yaml.safe_dump([{"id": name, "alias": name, "use_blueprint": use} for name, use in uses.items()]))
    await home.load_automations(file)
    await home.until_states(**{f"automation__{name}": "on" for name in automations})


async def say(spoken, word, label, zone=None):
    trigger = Trigger(name=word, camera="front_door", label=label, zone=zone, id="1", at=time.time())
    await spoken.say(topics.TRIGGERS.full_path("front_door"), trigger)


async def call(spoken, timeout_s=10):
    """The next service that was called, with its data."""
    _, said = await asyncio.wait_for(spoken.commands.get(), timeout_s)
    told = json.loads(said)
    return f"{told['domain']}.{told['service']}", told["service_data"]


async def calls_until(spoken, message):
    """The messages of all notifications up to this one."""
    messages = []
    while message not in messages:
        _, data = await call(spoken)
        messages.append(data["message"])
    return messages


async def until_it_listens(home, spoken, word, label):
    """It subscribes some time after an automation is there; the first notification says that it has."""

    async def heard():
        await spoken.state(topics.LABEL_SNAPSHOT.full_path("front_door", "person"), JPEG)  # nobody has to wait for it
        await say(spoken, word, label)
        with contextlib.suppress(TimeoutError):
            return await call(spoken, 1)

    return await home.until("the first notification", heard)


async def test_a_notification_comes_with_its_picture_once_within_the_cool_down(house, tmp_path):
    home, spoken = house
    await use(
        home, tmp_path, door={"cooldown": COOLDOWN_S / 60},
        lights={"labels": ["traffic light"], "cooldown": 0},
    )  # fmt: skip
    service, data = await until_it_listens(home, spoken, "person_appeared", "person")
    notified_at = time.monotonic()
    assert service == NOTIFY
    assert (data["title"], data["message"]) == ("Front door", "Person seen")
    assert data["data"] == {"tag": "deepthings-front_door", "image": f"/api/image_proxy/{PICTURE}"}
    assert await home.get(data["data"]["image"].removeprefix("/api/")) == JPEG

    for _ in range(3):
        await say(spoken, "person_appeared", "person")
    await say(spoken, "traffic_light_appeared", "traffic light")  # has no cool-down, and waits 3 s for a picture
    assert await calls_until(spoken, "Traffic light seen") == ["Traffic light seen"]

    await asyncio.sleep(max(0.0, COOLDOWN_S + 0.5 - (time.monotonic() - notified_at)))  # the cool-down itself
    await say(spoken, "person_appeared", "person")
    # the newer picture is not waited for longer
    await spoken.state(topics.LABEL_SNAPSHOT.full_path("front_door", "person"), JPEG + b"newer")
    assert (await call(spoken, 2.5))[1]["message"] == "Person seen"

    shown, listed = await home.ask(
        {"type": "persistent_notification/get"}, {"type": "blueprint/list", "domain": "automation"}
    )
    assert listed["deepthings/notification.yaml"]["metadata"]["name"] == "DeepThings, notification with a picture"
    assert [each["message"] for each in shown].count("Person seen") == 2
    assert not complaints(home)
    assert "components.automation" not in home.log


async def test_only_what_was_chosen_is_told(house, tmp_path):
    home, spoken = house
    now = time.localtime()
    elsewhen = {"after": f"{(now.tm_hour + 2) % 24:02}:00:00", "before": f"{(now.tm_hour + 3) % 24:02}:00:00"}
    await use(
        home, tmp_path,
        yard={"zone": "front_yard", "cooldown": 0},
        all_of_them={"labels": [], "cooldown": 0, "picture": "image.front_door_snapshot"},
        later={"labels": [], "cooldown": 0, "notify_service": "notify.notify", **elsewhen},
    )  # fmt: skip
    await until_it_listens(home, spoken, "car_appeared", "car")
    while not spoken.commands.empty():
        spoken.commands.get_nowait()
    for word, label, zone in (
        ("person_left", "person", None),
        ("person_left_front_yard", "person", "front_yard"),
        ("car_in_front_yard", "car", "front_yard"),
        ("person_in_front_yard", "person", "front_yard"),
    ):
        await say(spoken, word, label, zone)
    assert await calls_until(spoken, "Person in front yard") == ["Person in front yard"]
    await say(spoken, "car_appeared", "car")
    service, data = await call(spoken)
    assert (service, data["message"], data["data"]) == (NOTIFY, "Car seen", {"tag": "deepthings-front_door"})


async def test_it_can_be_tried_by_hand(house, tmp_path):
    """With the button in Home Assistant, which says nothing of who was seen."""
    home, spoken = house
    await use(home, tmp_path, door={"zone": "front_yard"})
    await home.call("automation.trigger", entity_id="automation.door")
    assert (await call(spoken))[1]["message"] == "Person in front yard"


async def test_the_phone_that_was_chosen_is_told(house, tmp_path):
    """The app's service is called as the device is; the camera's device stands for a phone of its name."""
    home, spoken = house
    (devices,) = await home.ask({"type": "config/device_registry/list"})
    phone = next(device["id"] for device in devices if device["name"] == "Front door")
    await use(home, tmp_path, door={"phone": phone, "notify_service": ""})
    await home.call("automation.trigger", entity_id="automation.door")
    assert (await call(spoken))[0] == "notify.mobile_app_front_door"


async def test_the_light_follows_the_occupancy(house, tmp_path):
    """The example as it is, but that nobody is waited for during a minute."""
    home, spoken = house
    text = EXAMPLES.read_text()
    assert text.count('for: "00:01:00"') == 1
    file = tmp_path / "automations.yaml"
    file.write_text(text.replace('for: "00:01:00"', 'for: "00:00:01"'))
    await home.load_automations(file)
    await home.until_states(automation__light_in_the_hall_while_someone_is_at_the_front_door="on")
    lamp = {"entity_id": ["light.hall"]}
    await spoken.count(topics.OBJECTS.full_path("front_door", "person"), "person")
    assert await call(spoken) == ("light.turn_on", lamp)
    await spoken.count(topics.OBJECTS.full_path("front_door", "person"))
    assert await call(spoken) == ("light.turn_off", lamp)
