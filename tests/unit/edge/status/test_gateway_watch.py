from __future__ import annotations

import pytest

from edge.status.gateway_watch import silence_message, wrong_broker_message
from shared.network.addresses import Address
from shared.payloads.bridge import BridgeInfo, PlanInfo

HOUSE = Address("10.0.0.5", 1883)


def info(host, port):
    plan = PlanInfo(epoch=1, method="ftp-wst", grid="3x3", cut=(), tiles=9)
    return BridgeInfo(
        version="1", protocol=5, topic_prefix="deepthings", model="m", labels=(), plan=plan,
        cluster_host=host, cluster_port=port,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("host", "cure"),
    [
        ("10.0.0.9", "start this edge with --gateway 10.0.0.9:7883"),
        ("", "start this edge with --gateway 10.0.0.5:7883"),
        ("127.0.0.1", "start it with --listen 0.0.0.0, and start this edge with --gateway and that device's"),
    ],
)
def test_another_broker_than_the_gateways_is_said_with_the_right_one(host, cure):
    said = wrong_broker_message(HOUSE, info(host, 7883))
    assert said.startswith("the gateway publishes at broker 10.0.0.5:1883, but its edges connect to its own broker")
    assert cure in said


def test_on_one_device_loopback_is_the_way():
    said = wrong_broker_message(Address("127.0.0.1", 1883), info("127.0.0.1", 7883))
    assert said.endswith("start this edge with --gateway 127.0.0.1:7883")


@pytest.mark.parametrize(
    ("silent_s", "shown"), [(10, "10 s"), (59.6, "60 s"), (300, "5 min"), (7000, "117 min"), (36_000, "10 h")]
)
def test_silence_is_said_with_how_long_it_has_lasted(silent_s, shown):
    said = silence_message(HOUSE, silent_s, known=True)
    assert said.startswith(
        f"gateway 10.0.0.5:1883 has not answered for {shown}; is it on, and its address still right?"
    )


def test_a_gateway_that_has_not_been_there_may_listen_elsewhere():
    assert "started with --listen 0.0.0.0" in silence_message(HOUSE, 10, known=False)
    assert "--listen" not in silence_message(Address("127.0.0.1", 7883), 10, known=False)
