"""Logging in to a real Mosquitto with users, rules and certificates: what works, and what is said of what does not."""

from __future__ import annotations

import asyncio
import gc
import shutil
import signal

import aiomqtt
import pytest

from shared.errors import BrokerError
from shared.mqtt.broker_client import BrokerClient
from shared.mqtt.broker_login import ANONYMOUS, Login, Tls
from shared.network.addresses import Address
from shared.reasons.broker_reasons import broker_reason
from tests.house_broker import GATEWAY, PASSWORDS, Certificates, house_broker
from tests.settling import settled

TOPIC = "deepthings/bridge/state"
NOT_LET_IN = "bad user name or password, or none (or its access rules do not allow this client)"
UNKNOWN_CA = "its certificate is signed by an unknown authority (set its CA)"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make certificates with")
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.authority()
    made.authority("stranger")
    made.signed("server", "IP:127.0.0.1")
    made.signed("named", "DNS:box.lan")
    made.signed("old", "IP:127.0.0.1", days=-1)
    made.signed("mutual", "IP:127.0.0.1")
    return made.folder


@pytest.fixture
async def broker(files):
    async with house_broker(files, server=False, named=False, old=False, mutual=True) as broker:
        yield broker


def encrypted(**tls):
    return Login(GATEWAY, PASSWORDS[GATEWAY], Tls(**tls))


async def said_by(address, login):
    """Return why a client is not let in; empty when it is, and can publish."""
    try:
        client = BrokerClient(address, "one", login=login)
        async with client.connection():
            await client.subscribe_checked(TOPIC, 1)
            await client.publish_checked(TOPIC, b"{}", 1, retain=True)
    except (aiomqtt.MqttError, BrokerError) as error:
        return broker_reason(error)
    return ""


async def test_a_user_is_let_in_in_plain_text_and_encrypted(broker, files):
    mine = {"certificate": files / "mutual.pem", "key": files / "mutual.key"}
    for address, login in (
        (broker.address, broker.login(GATEWAY)),
        (broker.encrypted["server"], encrypted(ca=files / "ca.pem")),
        (broker.encrypted["server"], encrypted(insecure=True)),
        (broker.encrypted["named"], encrypted(ca=files / "ca.pem", server_name="box.lan")),
        (broker.encrypted["mutual"], encrypted(ca=files / "ca.pem", **mine)),
    ):
        assert await said_by(address, login) == "", login


async def test_each_refusal_has_a_sentence_that_says_what_to_look_at(broker, files):
    ca = files / "ca.pem"
    for address, login, expected in (
        (broker.address, Login(GATEWAY, "wrong"), NOT_LET_IN),
        (broker.address, Login("nobody", "hunter2"), NOT_LET_IN),
        (broker.address, ANONYMOUS, NOT_LET_IN),
        (broker.encrypted["server"], encrypted(), UNKNOWN_CA),
        (broker.encrypted["server"], encrypted(ca=files / "stranger.pem"), UNKNOWN_CA),
        (broker.encrypted["named"], encrypted(ca=ca), "its certificate is for another name, not for this address"),
        (broker.encrypted["server"], encrypted(ca=ca, server_name="box.lan"), "its certificate is for another name"),
        (broker.encrypted["old"], encrypted(ca=ca), "its certificate has expired"),
        (broker.encrypted["server"], broker.login(GATEWAY), "does it require TLS?"),
        (broker.address, encrypted(ca=ca), "does it speak TLS on that port?"),
        (broker.encrypted["mutual"], encrypted(ca=ca), "does it require a client certificate"),
        (
            broker.encrypted["server"],
            encrypted(ca=files / "rules"),
            f"CA file {files / 'rules'} cannot be used: it is not a PEM",
        ),
        (Address("127.0.0.1", 9), ANONYMOUS, "connection refused"),
        (Address("127.0.0.1", 9), encrypted(ca=ca), "connection refused"),
    ):
        assert expected in await said_by(address, login), (address, login)


async def test_a_certificate_needs_its_own_key(broker, files):
    login = encrypted(ca=files / "ca.pem", certificate=files / "mutual.pem", key=files / "old.key")
    assert "the key does not belong to the certificate" in await said_by(broker.encrypted["mutual"], login)


async def test_a_topic_that_the_rules_do_not_allow_is_refused_and_others_go_on(broker):
    client = BrokerClient(broker.address, "one", login=broker.login(GATEWAY))
    async with client.connection():
        with pytest.raises(aiomqtt.MqttCodeError) as refused:
            await client.publish_checked("garden/state", b"{}", 1, retain=True)
        assert "not authorised" in broker_reason(refused.value)
        await client.publish_checked(TOPIC, b"{}", 1, retain=True)


async def test_a_broker_that_hangs_is_left_without_a_trace(broker, caplog):
    broker.signal(signal.SIGSTOP)
    for wait_s, error in ((0.3, aiomqtt.MqttError), (10, TimeoutError)):
        client = BrokerClient(broker.address, "one", login=broker.login(GATEWAY))
        client.timeout = wait_s
        with pytest.raises(error):
            async with asyncio.timeout(1), client.connection():
                pass
        del client
        gc.collect()  # asyncio complains of a future when it goes
        await settled()
    assert not [record for record in caplog.records if record.name == "asyncio"]
