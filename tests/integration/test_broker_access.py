"""Logins and rules at the gateway's own broker, with a real Mosquitto."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import subprocess
from pathlib import Path

import aiomqtt
import pytest

from gateway.broker.access import PublicTopics
from gateway.broker.access_check import check_access
from gateway.broker.broker_access import BrokerAccess, BrokerPlaces, ServerCertificate
from gateway.broker.broker_folder import MOSQUITTO_USERS
from gateway.broker.broker_listeners import EDGE_RULES
from gateway.broker.logins import LoginFile, is_password, parse_logins
from gateway.broker.mosquitto import own_broker
from shared.errors import BrokerError
from shared.mqtt import topics
from shared.mqtt.broker_client import BrokerClient
from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.member_login import MemberTls, member_login
from shared.network.addresses import LOOPBACK, Address
from shared.security.issuing import issue_certificate, make_authority, make_key, public_key_of
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity
from tests.ports import free_port

TOKENS = {"attic": "token-of-attic", "porch": "token-of-porch"}
PUBLIC = PublicTopics(discovery="homeassistant")


class Authority:
    """A cluster's authority, for tests."""

    def __init__(self):
        self.key = make_key()
        self.certificate = make_authority(self.key)

    def issue(self, role, name):
        key = make_key()
        return ServerCertificate(issue_certificate(self.certificate, self.key, role, name, public_key_of(key)), key)


class Broker:
    """A broker with keys that runs, and those who may log in."""

    def __init__(self, folder, authority=None, shown=(Role.GATEWAY, "gateway")):
        self.authority = authority or Authority()
        self.folder = folder
        self.places = BrokerPlaces(*(Address(LOOPBACK, free_port()) for _ in range(4)))
        shown = self.authority.issue(*shown)
        self.users = LoginFile(folder / "users")
        self.access = BrokerAccess(self.places, PUBLIC, self.users, shown, shown, self.authority.certificate)
        self.access.admit(TOKENS, is_open=False)
        self.running = None

    @property
    def gateway(self):
        return BrokerClient(self.places.cluster, "gateway-1", login=self.access.login)

    def edge(self, name, token=None, authority=None):
        trusted = (authority or self.authority).certificate
        identity = NodeIdentity(
            self.folder, trusted, self.authority.issue(Role.EDGE, name).certificate, b"", token or TOKENS[name]
        )
        return BrokerClient(self.places.edges, f"edge-{name}", login=member_login(identity))

    def user(self, name, password, place="public"):
        tls = MemberTls(authority=self.authority.certificate) if place != "public" else None
        return BrokerClient(getattr(self.places, place), f"user-{name}", login=Login(name, password, tls))


@contextlib.asynccontextmanager
async def running(broker):
    async with own_broker(*broker.access.listeners(), files=broker.access.files()) as process:
        tasks = [asyncio.create_task(each) for each in (process.run(), broker.access.follow(process))]
        broker.process = process
        try:
            yield broker
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def broker(tmp_path):
    async with running(Broker(tmp_path)) as made:
        yield made


async def refusal(client):
    """The words of the broker that refuses a client."""
    with pytest.raises((aiomqtt.MqttError, BrokerError)) as caught:
        async with client.connection():
            pass
    return str(caught.value.__context__ or caught.value)


async def test_who_has_joined_logs_in_and_nobody_else(broker):
    async with broker.gateway.connection(), broker.edge("attic").connection():
        pass
    assert "Not authorized" in await refusal(broker.edge("attic", "another-token"))
    assert "Not authorized" in await refusal(broker.edge("porch", TOKENS["attic"]))
    for place in (broker.places.cluster, broker.places.public):
        assert "Not authorized" in await refusal(BrokerClient(place, "stranger", login=ANONYMOUS))
        assert "Not authorized" in await refusal(
            BrokerClient(place, "stranger", login=Login("edge.attic", TOKENS["attic"]))
        )


async def test_each_login_can_do_what_its_rules_say_and_nothing_else(broker):
    probes = [broker.access.edge_probe, broker.access.user_probe]
    for probe in probes:
        assert await check_access(broker.places.cluster, broker.access.login, probe) == []


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ("topic read #", "can read deepthings/cluster/grants/~other"),
        ("topic write deepthings/cluster/plan", "can write deepthings/cluster/plan"),
        ("topic read $SYS/#", "can read $SYS/broker/version"),
        ("topic deny deepthings/cluster/plan", "cannot read deepthings/cluster/plan"),
    ],
)
async def test_a_wrong_rule_is_found_by_what_it_lets_through(broker, wrong, fault):
    await broker.access.applied()  # or it would write its own once more
    files = broker.access.files()
    files[EDGE_RULES] += f"{wrong}\n".encode()  # behind the rules of the last edge, which is the one that checks
    await broker.process.update(files)
    faults = await check_access(broker.places.cluster, broker.access.login, broker.access.edge_probe)
    assert fault in [str(each).partition("' ")[2] for each in faults]


async def test_an_edge_that_is_revoked_is_disconnected_at_once_and_its_last_words_are_not_told(broker):
    will = aiomqtt.Will(topics.NODE_STATE.full_path("attic"), b"last words", 1, retain=True)
    lost = asyncio.Event()
    attic, porch = broker.edge("attic"), broker.edge("porch")
    attic._client.will_set(will.topic, will.payload, will.qos, will.retain)
    async with broker.gateway.connection(), contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(porch.connection())
        await porch.subscribe_checked(topics.NODE_STATE.full_path(), 1)
        with contextlib.suppress(aiomqtt.MqttError):
            await stack.enter_async_context(attic.connection(lost.set))
        broker.access.admit({"porch": TOKENS["porch"]}, is_open=False)
        async with asyncio.timeout(5):
            await lost.wait()
            await broker.access.applied()
        with pytest.raises((aiomqtt.MqttError, BrokerError)):
            await attic.publish_checked(topics.NODE_STATE.full_path("attic"), b"still here", 1, retain=True)
        await porch.publish_checked(topics.NODE_STATE.full_path("porch"), b"hello", 1, retain=False)
        assert (await asyncio.wait_for(porch.next_message(), 5)).payload == b"hello"
        assert "Not authorized" in await refusal(broker.edge("attic"))
        with contextlib.suppress(aiomqtt.MqttError):
            await stack.aclose()


async def test_a_login_for_people_holds_from_the_moment_it_is_told_until_it_is_removed(broker):
    password = broker.users.add("homeassistant")
    broker.access.change()
    await broker.access.applied()
    lost = asyncio.Event()
    async with broker.gateway.connection(), contextlib.AsyncExitStack() as stack:
        for place in ("public", "public_encrypted"):
            async with broker.user("homeassistant", password, place).connection():
                pass
        with contextlib.suppress(aiomqtt.MqttError):
            await stack.enter_async_context(broker.user("homeassistant", password).connection(lost.set))
        broker.users.remove("homeassistant")
        broker.access.change()
        async with asyncio.timeout(5):
            await lost.wait()
        with contextlib.suppress(aiomqtt.MqttError):
            await stack.aclose()
    assert "Not authorized" in await refusal(broker.user("homeassistant", password))


async def test_while_the_cluster_is_open_an_edge_without_keys_is_an_edge_and_not_a_gateway(broker):
    stranger = BrokerClient(broker.places.cluster, "stranger")
    broker.access.admit(TOKENS, is_open=True)
    await broker.access.applied()
    lost = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        with contextlib.suppress(aiomqtt.MqttError):
            await stack.enter_async_context(stranger.connection(lost.set))
        await stranger.publish_checked(topics.NODE_STATE.full_path("old"), b"", 1, retain=False)
        for topic in (topics.PLAN, topics.GRANTS, topics.BRIDGE_STATE):
            with pytest.raises(aiomqtt.MqttCodeError):
                await stranger.publish_checked(topic.full_path("old"), b"forged", 1, retain=False)
        broker.access.admit(TOKENS, is_open=False)
        async with asyncio.timeout(10):
            await lost.wait()
            await broker.access.applied()
        with contextlib.suppress(aiomqtt.MqttError):
            await stack.aclose()
    assert "Not authorized" in await refusal(BrokerClient(broker.places.cluster, "stranger"))


@pytest.mark.parametrize("shown", [(Role.EDGE, "gateway"), (Role.CAMERA, "attic")])
async def test_an_edge_logs_in_at_no_other_member_that_plays_the_broker(tmp_path, shown):
    async with running(Broker(tmp_path, shown=shown)) as impostor:
        assert "not the gateway" in await refusal(impostor.edge("attic"))


async def test_an_edge_logs_in_at_no_gateway_of_another_cluster(broker):
    assert "not the gateway of the cluster" in await refusal(broker.edge("attic", authority=Authority()))


def user_of(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^Uid:\t(\d+)", status, re.MULTILINE)[1])


def test_mosquitto_can_read_its_own_files_and_nobody_else_can(broker):
    folder = broker.process._folder.configuration.parent
    assert folder.stat().st_mode & 0o007 == 0
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.stat().st_uid for path in folder.iterdir()} == {user_of(broker.process.process)}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start Mosquitto as another user")
def test_what_only_the_gateway_may_read_mosquitto_cannot(broker, tmp_path):
    secret = tmp_path / "authority-key.pem"
    secret.touch(mode=0o600)
    tmp_path.chmod(0o755)
    user = user_of(broker.process.process)
    assert pwd.getpwuid(user).pw_name in MOSQUITTO_USERS
    words = ["setpriv", f"--reuid={user}", "--clear-groups", "cat", str(secret)]
    assert b"Permission denied" in subprocess.run(words, capture_output=True, check=False).stderr


def test_hashes_are_those_of_mosquittos_own_tool(tmp_path):
    file = tmp_path / "passwords"
    file.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(file), "somebody", "correct horse"], check=True)
    (login,) = parse_logins(file.read_text()).values()
    assert is_password("correct horse", login.hashed)
    assert not is_password("correct house", login.hashed)


def test_no_secret_is_in_a_command_line_or_in_the_environment(broker):
    process = Path(f"/proc/{broker.process.process.pid}")
    told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert broker.access.login.password.encode() not in told
