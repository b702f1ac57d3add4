from __future__ import annotations

from edge.status.loopback import loopback_mistakes
from shared.payloads.cluster import Identity

HERE = Identity(device="raspberrypi", address="10.0.0.7", network="here")
THERE = Identity(device="raspberrypi", address="10.0.0.1", network="there")


def test_who_listens_on_loopback_for_another_device_hears_of_it_with_the_option_to_set():
    first, second = loopback_mistakes(HERE, "127.0.0.1", THERE, "127.0.0.1")
    assert first.startswith("this edge listens on 127.0.0.1 only")
    assert "raspberrypi (10.0.0.1)" in first
    assert first.endswith("--listen 0.0.0.0")
    assert second.startswith("the gateway, on raspberrypi (10.0.0.1), listens on 127.0.0.1 only")
    assert "cluster.listen: 0.0.0.0" in second


def test_on_one_machine_or_on_a_network_nothing_is_wrong():
    assert loopback_mistakes(HERE, "127.0.0.1", HERE, "127.0.0.1") == []
    assert loopback_mistakes(HERE, "10.0.0.7", THERE, "") == []


def test_of_what_is_not_known_nothing_is_said():
    assert loopback_mistakes(HERE, "127.0.0.1", Identity(), "127.0.0.1") == []
    assert loopback_mistakes(Identity(), "127.0.0.1", THERE, "127.0.0.1") == []
