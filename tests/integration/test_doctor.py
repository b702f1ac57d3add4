"""`deepthings doctor` where something is really broken: brokers, ports, keys, logins, edges."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from benchmarks.cluster.limits import ControlGroup, NodeLimits, limits_unavailable_reason
from shared.mqtt import topics
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import Nodes, State
from shared.process.lifecycle import installed_version
from shared.security.key_folder import default_key_folder, store_gateway
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity, load_identity, store_identity
from tests.commands import DEEPTHINGS
from tests.harness import broker_at
from tests.house_broker import HouseBroker
from tests.integration.test_keyed_cluster import running_home
from tests.integration.test_page_login import guarded
from tests.members import KeyedCluster
from tests.ports import free_port
from tests.unit.shared.doctor.set_ups import EDGE, PLAN
from tests.unit.shared.status.clusters import ATTIC, DOOR, GATEWAY, HALL, HEALTH, INFO

if TYPE_CHECKING:
    from pathlib import Path

UNAVAILABLE = limits_unavailable_reason()
MAX_DURATION_S = 60.0
"""Of one doctor, on a machine where much else runs."""


class Doctor:
    """A person on a device whose keys, if it has some, are below a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.state = folder
        self.keys = default_key_folder(folder)
        self.surroundings: tuple[str, ...] = ()
        """Before its command: in a control group, for example."""

    def joins(self, identity: NodeIdentity, gateway: Address) -> None:
        """Have the keys of a member, and its gateway's address."""
        store_identity(NodeIdentity(self.keys, identity.authority, identity.certificate, identity.key, identity.token))
        store_gateway(self.keys, gateway)

    async def finds(self, gateway: Address | str, *options: str):
        """Return the exit code, and by check what is not well: its result, what was found, cause and cure."""
        code, out, err = await self.run(gateway, "--json", *options)
        assert err == ""
        examination = json.loads(out)
        assert examination["ok"] is (code == 0)
        return code, {
            each["check"]: each for each in examination["findings"] if each["result"] in {"failed", "warning"}
        }

    async def run(self, gateway: Address | str, *options: str):
        process = await asyncio.create_subprocess_exec(
            *self.surroundings, DEEPTHINGS, "doctor", "--gateway", str(gateway), *options,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"XDG_STATE_HOME": str(self.state), "COLUMNS": "150"},
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), MAX_DURATION_S)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
def doctor(tmp_path):
    return Doctor(tmp_path / "state-of-doctor")


async def test_a_cluster_with_keys_is_well_until_something_breaks(tmp_path, doctor):
    """One cluster, as it takes the longest: the keys and the addresses of the doctor change."""
    async with running_home(tmp_path, "shed") as home:
        spy = load_identity(tmp_path / "spy")
        doctor.joins(spy, home.broker)
        cameras = home.witness.stats
        await home.witness.until("its camera", lambda: "yard" in cameras and cameras["yard"].counts.published)
        code, out, _ = await doctor.run(home.broker)
        assert code == 0, out
        for check in (
            "keys", "broker", "login", "access rules", "gateway", "membership", "release", "clock", "plan",
            "data plane", "link", "data plane of shed", "between devices",
        ):  # fmt: skip
            assert re.search(rf"^ok +{check}  ", out, re.MULTILINE), out
        assert "Mbit/s from the gateway" in out

        doctor.joins(spy, home.processes.broker)
        _, wrong = await doctor.finds(home.processes.broker)
        assert "does not encrypt" in wrong["broker"]["what"]

        stranger = Doctor(tmp_path / "stranger")
        _, wrong = await stranger.finds(home.broker)
        assert "encrypted" in wrong["broker"]["what"]
        assert "deepthings invite" in wrong["broker"]["cure"]
        _, wrong = await stranger.finds(home.public)
        assert "refuses devices without keys" in wrong["login"]["what"]

        stranger.joins(KeyedCluster(tmp_path / "other").identity(Role.EDGE, "porch"), home.broker)
        _, wrong = await stranger.finds(home.broker)
        assert "another cluster" in wrong["broker"]["cause"]

        doctor.joins(spy, home.broker)
        (shed,) = [child for child in home.processes._children if child.name == "shed"]
        await home.processes.stop(shed)
        await home.witness.until("its end", lambda: home.witness.nodes["shed"].state is State.OFFLINE)
        code, wrong = await doctor.finds(home.broker)
        assert (code, wrong["edge shed"]["what"]) == (1, "is offline")

        await (await home.processes.start("revoke", "revoke", "spy")).wait()
        code, wrong = await doctor.finds(home.broker)
        assert (code, list(wrong)[:1]) == (1, ["login"])
        assert "revoked" in wrong["login"]["cause"]
        assert "deepthings invite spy" in wrong["login"]["cure"]

        store_gateway(doctor.keys, home.data)
        _, wrong = await doctor.finds(home.data)
        assert wrong["broker"]["cause"] == "the port is wrong"


async def test_what_a_gateway_left_behind_is_named(doctor):
    """At a broker whose gateway has another release and clock, and a data plane that nothing reaches."""
    broker, closed = (Address(LOOPBACK, free_port()) for _ in range(2))
    async with broker_at(broker), aiomqtt.Client(*broker, protocol=aiomqtt.ProtocolVersion.V5) as client:

        async def retain(topic, message, *names):
            await client.publish(topic.full_path(*names), message.model_dump_json(), qos=1, retain=True)

        code, wrong = await doctor.finds(broker)
        assert (code, list(wrong)) == (1, ["gateway"])
        async with await asyncio.start_server(lambda _, writer: writer.close(), LOOPBACK, 0) as data:
            port = data.sockets[0].getsockname()[1]
            await retain(topics.BRIDGE_STATE, GATEWAY.model_copy(update={"version": installed_version()}))
            await retain(topics.BRIDGE_HEALTH, HEALTH.model_copy(update={"at": time.time(), "problems": ()}))
            attic = EDGE.model_copy(update={"version": installed_version()})
            await retain(topics.BRIDGE_NODES, Nodes(nodes={"attic": attic}))
            await retain(topics.PLAN, PLAN.model_copy(update={"gateway_host": LOOPBACK, "gateway_port": port}))
            assert await doctor.finds(broker) == (0, {})
        await retain(topics.BRIDGE_STATE, GATEWAY)
        await retain(topics.BRIDGE_INFO, INFO.model_copy(update={"page_host": "0.0.0.0", "page_port": closed.port}))  # noqa: S104
        await retain(topics.BRIDGE_HEALTH, HEALTH.model_copy(update={"at": time.time() + 86_400}))
        await retain(topics.BRIDGE_NODES, Nodes(nodes={"attic": ATTIC, "hall": HALL}))
        await retain(topics.CAMERA_STATS, DOOR, "front_door")
        await retain(topics.PLAN, PLAN.model_copy(update={"gateway_host": LOOPBACK, "gateway_port": closed.port}))
        code, wrong = await doctor.finds(broker)
        assert code == 1
        assert {"release", "clock", "data plane", "edge hall", "camera garden"} <= set(wrong)
        assert f"ufw allow {closed.port}/tcp" in wrong["data plane"]["cure"]
        assert f"docker run -p {closed.port}:{closed.port}" in wrong["page"]["cure"]
        assert wrong["clock"]["result"] == "warning"
        await retain(topics.BRIDGE_STATE, GATEWAY.model_copy(update={"state": State.OFFLINE}))
        _, wrong = await doctor.finds(broker)
        assert list(wrong) == ["gateway"]


@pytest.mark.skipif(bool(UNAVAILABLE), reason=UNAVAILABLE)
async def test_a_control_group_with_too_little_memory_for_the_plan_is_named(doctor):
    broker = Address(LOOPBACK, free_port())
    async with broker_at(broker), aiomqtt.Client(*broker, protocol=aiomqtt.ProtocolVersion.V5) as client:
        for topic, message in {topics.BRIDGE_STATE: GATEWAY, topics.PLAN: PLAN}.items():
            await client.publish(topic.full_path(), message.model_dump_json(), qos=1, retain=True)
        _, wrong = await doctor.finds(broker)
        assert "memory" not in wrong
        with ControlGroup("small", NodeLimits(cpu=1.0, memory_mb=96)) as group:
            doctor.surroundings = tuple(group.command())
            _, wrong = await doctor.finds(broker)
    assert re.search(r"the control group \S+ may use 101 MB, and an edge needs \d{3} MB", wrong["memory"]["what"])
    assert "docker update --memory" in wrong["memory"]["cure"]


async def test_a_page_that_is_encrypted_answers_the_doctor(tmp_path, doctor):
    """On the gateway's own machine, at a port of its own."""
    async with guarded(tmp_path) as gateway:
        doctor.joins(gateway.keys.own_node, gateway.edges)
        _, out, _ = await doctor.run(gateway.edges)
    assert f"it answers at 127.0.0.1:{gateway.page.port}" in out


class BrokerWithRules(HouseBroker):
    """A broker that everybody may enter, and nobody may write to."""

    def _configuration(self) -> str:
        return super()._configuration().replace("allow_anonymous false", "allow_anonymous true")


async def test_access_rules_that_forbid_to_write_are_named(tmp_path, doctor):
    broker = BrokerWithRules(tmp_path, rules="topic read deepthings/#\n")
    try:
        await broker.start()
        code, wrong = await doctor.finds(broker.address)
    finally:
        await broker.stop()
    assert (code, list(wrong)) == (1, ["access rules"])
    assert "does not take a message" in wrong["access rules"]["what"]


async def test_another_program_at_the_port_is_named(doctor):
    async def greet(reader, writer):
        with contextlib.closing(writer):
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()

    async with await asyncio.start_server(greet, LOOPBACK, 0) as server:
        _, wrong = await doctor.finds(Address(*server.sockets[0].getsockname()[:2]))
    assert list(wrong) == ["broker"]
    assert "another program" in wrong["broker"]["what"]


async def test_without_a_gateway_the_report_begins_with_the_cause_and_ends_with_what_was_tried(doctor):
    code, out, _ = await doctor.run(Address(LOOPBACK, free_port()))
    assert code == 1
    assert "FAILED   port" in out
    assert "likely cause: " in out
    assert "not tried because the check 'port' failed: broker, login" in " ".join(out.split())
    assert out.splitlines()[-1].startswith(("tried ", "  "))
    assert "begin with the first that failed: port" in out


async def test_a_name_that_nobody_knows_and_damaged_keys_are_named(doctor):
    doctor.keys.mkdir(parents=True)
    (doctor.keys / "node.pem").write_text("damaged")
    code, wrong = await doctor.finds("no-such-device.invalid")
    assert (code, list(wrong)) == (1, ["keys", "name"])
    assert "deepthings join" in wrong["keys"]["cure"]
