from __future__ import annotations

from gateway.broker import refused_connections
from gateway.broker.refused_connections import REFUSED_PERIOD_S, RefusedConnections

ANYWHERE = frozenset({7883, 7886})
CONNECTED = "1795780232: New connection from {} on port {}."
REFUSED = "Client <unknown> disconnected, not authorised."
"""As Mosquitto 2.0 says it."""


def read(*lines):
    refused = RefusedConnections()
    for line in lines:
        refused.on_line(line, 100.0)
    return refused


def test_who_connected_last_and_has_no_login_is_the_one_that_is_refused():
    refused = read(
        CONNECTED.format("192.168.1.30:4711", 7883), CONNECTED.format("192.168.1.31:4712", 7886),
        "New client connected from 192.168.1.31:4712 as deepthings-edge-porch (p5, c1, k10, u'edge.porch').", REFUSED,
    )  # fmt: skip
    assert refused.addresses(ANYWHERE, 101.0) == ["192.168.1.30"]
    assert refused.addresses(frozenset({1883}), 101.0) == []


def test_the_user_of_a_connection_is_known():
    line = "New client connected from 192.168.1.31:4712 as hass (p5, c1, k60, u'homeassistant')."
    refused = read(CONNECTED.format("192.168.1.31:4712", 1883), line)
    assert refused.user_of("192.168.1.31:4712") == "homeassistant"
    assert refused.user_of("192.168.1.31:4713") == ""


def test_mosquitto_2_1_says_who_it_is():
    refused = read(
        CONNECTED.format("192.168.1.30:4711", 7883), CONNECTED.format("192.168.1.31:4712", 7886),
        "Client one [192.168.1.30:4711] disconnected: not authorised.",
    )  # fmt: skip
    assert refused.addresses(ANYWHERE, 101.0) == ["192.168.1.30"]


def test_an_address_of_version_6_is_read_too():
    assert read(CONNECTED.format("fe80::1:2:4711", 7883), REFUSED).addresses(ANYWHERE, 101.0) == ["fe80::1:2"]


def test_who_logs_in_is_not_refused_and_who_tries_no_more_is_forgotten():
    refused = read(
        CONNECTED.format("192.168.1.30:4711", 7883), "1: New client connected from 192.168.1.30:4711 as a (p5)."
    )
    assert refused.addresses(ANYWHERE, 101.0) == []
    refused.on_line(CONNECTED.format("192.168.1.30:4712", 7883), 102.0)
    refused.on_line(REFUSED, 102.0)
    assert refused.addresses(ANYWHERE, 103.0) == ["192.168.1.30"]
    assert refused.addresses(ANYWHERE, 103.0 + REFUSED_PERIOD_S) == []


def test_a_refusal_without_a_connection_is_nobodys():
    assert read(REFUSED).addresses(ANYWHERE, 101.0) == []


def test_many_addresses_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(refused_connections, "MAX_REFUSED_ADDRESSES", 2)
    lines = [line for last in range(4) for line in (CONNECTED.format(f"10.0.0.{last}:1", 7883), REFUSED)]
    assert read(*lines).addresses(ANYWHERE, 101.0) == ["10.0.0.2", "10.0.0.3"]


def test_connections_without_an_answer_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(refused_connections, "MAX_OPEN_CONNECTIONS", 2)
    refused = read(*(CONNECTED.format(f"10.0.0.{last}:1", 7883) for last in range(4)), REFUSED, REFUSED, REFUSED)
    assert refused.addresses(ANYWHERE, 101.0) == ["10.0.0.2", "10.0.0.3"]


def test_notices_are_told_from_errors():
    refused = RefusedConnections()
    assert refused.on_line(CONNECTED.format("10.0.0.1:1", 7883), 0.0)
    assert refused.on_line("1795780232: mosquitto version 2.0.11 starting", 0.0)
    assert refused.on_line("Client <unknown> disconnected: Protocol error.", 0.0)
    assert not refused.on_line("1795780232: Error: Unable to open pwfile", 0.0)
    assert not refused.on_line("1795780309: Client attic disconnected due to out of memory.", 0.0)
