"""A gateway at the broker of a house, with users, rules and certificates; and what happens when that is away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal

import aiomqtt
import pytest

from shared.mqtt.broker_login import Tls
from tests.cluster.test_home import STREET, home, mqtt_of, online, seen
from tests.harness import connected, running_cluster
from tests.house_broker import GATEWAY, PASSWORDS, PEOPLE, Certificates, house_broker
from tests.listener import listening

BACK_S = 20.0
"""Seconds for what takes one or two."""


@contextlib.asynccontextmanager
async def gateway_at(house, folder, *edges, tls=None, **said):
    """A gateway at the house's broker, whoever listens there, and a witness at the gateway's own."""
    broker = house.address if tls is None else house.encrypted["server"]
    mqtt = {**mqtt_of(broker, house.login(GATEWAY, tls)), "client_id": "the-gateway"}
    surroundings = home(folder, *edges, broker=house.address, login=house.login(), mqtt=mqtt, **said)
    async with surroundings as (cluster, heard, options), connected(cluster.witness.bus):
        yield cluster, heard, options


async def test_with_a_login_over_tls_all_that_is_public_is_there_and_nothing_of_the_cluster(tmp_path):
    made = Certificates(tmp_path)
    ca = made.authority()
    made.signed("server", "IP:127.0.0.1")
    async with (
        house_broker(tmp_path, server=False) as house,
        gateway_at(house, tmp_path, "pi-1", tls=Tls(ca)) as (cluster, heard, _),
    ):
        await heard.until("somebody", lambda: seen(heard), 60)
        await heard.until("health", lambda: heard.text("bridge/health"))
        await cluster.witness.until("frames for edges, too", lambda: cluster.witness.detections)
        public = {topic.removeprefix("deepthings/") for topic in heard.now if topic.startswith("deepthings/")}
        assert {"bridge/state", "bridge/info", "bridge/nodes", "bridge/health", "cameras/street/stats"} <= public
        assert {"cameras/street/availability", "detections/street/person", "detections/street/event"} <= public
        assert await topics_below_cluster(house) <= {"deepthings/cluster/claims/gateway"}
        info = json.loads(heard.text("bridge/info"))
        assert (info["cluster_host"], info["cluster_port"]) == tuple(cluster.broker)
        await heard.say("cameras/street/detect/set", "OFF")
        await heard.until("nobody", lambda: heard.count("detections/street/person") == 0)
        await heard.say("bridge/request/info", '{"transaction": 7}')
        await heard.until("an answer", lambda: heard.text("bridge/response/info"))
        assert f"connected to broker {house.encrypted['server']} as the-gateway" in cluster.log("gateway")


async def topics_below_cluster(house):
    """Return where something is said between gateway and edges, within a moment."""
    found = set()
    async with aiomqtt.Client(*house.address, username=PEOPLE, password=PASSWORDS[PEOPLE]) as client:
        await client.subscribe("deepthings/cluster/#")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                async for message in client.messages:
                    found.add(str(message.topic))
    return found


async def killed(house):
    await house.kill()


async def frozen(house):
    house.signal(signal.SIGSTOP)


async def refusing(house):
    await house.stop()
    house.passwords = {**house.passwords, GATEWAY: "another"}
    await house.start()


async def started_again(house):
    await house.start()


async def thawed(house):
    house.signal(signal.SIGCONT)


async def welcoming(house):
    await house.stop()
    house.passwords = {**house.passwords, GATEWAY: house.login(GATEWAY).password}
    await house.start()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "cure", "said"),
    [
        (killed, started_again, "connection refused"),
        (frozen, thawed, "it does not answer"),
        (refusing, welcoming, "bad user name or password"),
    ],
)
async def test_detection_goes_on_without_the_broker_and_what_is_retained_there_is_right_at_its_return(
    trouble, cure, said, tmp_path
):
    async with house_broker(tmp_path) as house, gateway_at(house, tmp_path, "pi-1", "pi-2") as (cluster, heard, _):
        witness = cluster.witness
        await heard.until("somebody", lambda: seen(heard), 60)
        served = json.loads(heard.text("cameras/street/stats"))["node"]
        other = {"pi-1": "pi-2", "pi-2": "pi-1"}[served]
        await trouble(house)
        await witness.until("the problem", lambda: any(said in problem for problem in witness.problems), 60)
        before = len(witness.detections)
        cluster.signal(cluster.edges[other], signal.SIGTERM)  # the house's broker cannot hear of it
        await witness.until("frames as before", lambda: len(witness.detections) >= before + 20)
        assert not witness.stats["street"].counts.dropped
        heard.forget()
        await cure(house)
        await heard.until("the gateway", lambda: online(heard), BACK_S)
        await heard.until("its edges", lambda: edge_state(heard, other) == "offline", BACK_S)
        assert edge_state(heard, served) == "online"
        await heard.until("the camera", lambda: heard.text("cameras/street/availability") == "online", BACK_S)
        await heard.until("a frame", lambda: heard.all("detections/street/frame"), BACK_S)
        await heard.until("somebody", lambda: seen(heard), BACK_S)
        await witness.until("no problem", lambda: not any("broker" in problem for problem in witness.problems))
        dropped = [health["public_frames_dropped"] for health in heard.all("bridge/health")]
        assert not dropped or dropped[-1] > 0
    log = cluster.log("gateway")
    assert "Traceback" not in log
    assert 1 <= len([line for line in log.splitlines() if " ERROR " in line and said in line]) <= 2


def edge_state(heard, name):
    nodes = heard.text("bridge/nodes")
    return json.loads(nodes)["nodes"].get(name, {}).get("state") if nodes else None


@pytest.mark.slow
async def test_without_the_broker_at_its_start_a_gateway_detects_and_publishes_when_it_is_there(tmp_path):
    async with house_broker(tmp_path) as house:
        await house.stop()
        file = tmp_path / "deepthings.yaml"
        mqtt = mqtt_of(house.address, house.login(GATEWAY))
        file.write_text(json.dumps({"mqtt": mqtt, "cameras": {"street": STREET}, "state": str(tmp_path / "state")}))
        async with (
            running_cluster(tmp_path, 1, "--config", str(file)) as cluster,
            listening(house.address, house.login()) as heard,
        ):
            await cluster.witness.until("frames", lambda: cluster.witness.detections, 60)
            await house.start()
            await heard.until("the gateway", lambda: online(heard), BACK_S)
            await heard.until("somebody", lambda: seen(heard), 60)


@pytest.mark.slow
async def test_a_topic_that_the_rules_do_not_allow_is_a_problem_with_its_name_and_the_rest_goes_on(tmp_path):
    async with house_broker(tmp_path) as house:
        await house.stop()
        house.rules = house.rules.replace("topic readwrite homeassistant/#\n", "", 1)
        await house.start()
        async with gateway_at(house, tmp_path, "pi-1") as (cluster, heard, _):
            witness = cluster.witness
            await witness.until(
                "the problem",
                lambda: any("homeassistant/" in each and "not authorised" in each for each in witness.problems),
            )
            await heard.until("somebody", lambda: seen(heard), 60)


async def test_an_edge_at_the_houses_broker_says_where_to_go(tmp_path):
    async with house_broker(tmp_path) as house:
        await house.stop()
        house.rules = "topic readwrite #\n" + house.rules
        await house.start()
        async with gateway_at(house, tmp_path) as (cluster, heard, _):
            await heard.until("the gateway's info", lambda: heard.text("bridge/info"))
            lost = await cluster.processes.start("lost", "edge", "--gateway", str(house.address), "--name", "lost")
            assert await asyncio.wait_for(lost.process.wait(), 30) == 1
            assert "is it the broker of the home? The gateway's own has port 7883" in lost.log.read_text()
