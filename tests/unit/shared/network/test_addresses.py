from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.network.addresses import Address, advertised_address, local_address
from shared.network.hosts import is_loopback, is_wildcard

EVERYWHERE = "0.0.0.0"  # noqa: S104  (nothing listens here)


@pytest.mark.parametrize(
    ("text", "default", "address"),
    [
        ("192.168.1.10:1883", None, ("192.168.1.10", 1883)),
        ("gateway.local:1", None, ("gateway.local", 1)),
        ("gateway:65535", 1883, ("gateway", 65535)),
        ("gateway", 1883, ("gateway", 1883)),
        ("192.168.1.10", 1883, ("192.168.1.10", 1883)),
        ("[::1]:1883", None, ("::1", 1883)),
        ("[fe80::1]:7", 1883, ("fe80::1", 7)),
        ("::1", 1883, ("::1", 1883)),
        ("2001:db8::1", 1883, ("2001:db8::1", 1883)),
    ],
)
def test_text_is_read_as_host_and_port(text, default, address):
    assert Address.parse(text, default) == address


@pytest.mark.parametrize(
    "text", ["", ":", "host", "host:", ":1883", "host:0", "host:65536", "host:-1", "host:http", "::1", "[]:1", "h:1:"]
)
def test_text_that_is_no_address_is_refused_with_an_example(text):
    with pytest.raises(ConfigurationError, match=r"write for example 192\.168\.1\.10:1883"):
        Address.parse(text)


@pytest.mark.parametrize("text", ["", ":1883", "host:", "host:0"])
def test_a_default_port_does_not_mend_what_is_wrong(text):
    with pytest.raises(ConfigurationError):
        Address.parse(text, 1883)


def test_a_port_of_other_digits_is_refused():
    with pytest.raises(ConfigurationError):
        Address.parse("host:\N{SUPERSCRIPT TWO}")


def test_a_bracketed_host_takes_the_default_port():
    assert Address.parse("[::1]", 1883) == ("::1", 1883)


@pytest.mark.parametrize("text", ["http://gateway:1883", "mqtt://gateway:1883", "a:b:c"])
def test_a_url_is_no_host(text):
    with pytest.raises(ConfigurationError):
        Address.parse(text, 1883)


hosts = st.ip_addresses().map(str) | st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True)


@given(hosts, st.integers(1, 65535))
def test_an_address_reads_what_it_writes(host, port):
    assert Address.parse(str(Address(host, port))) == (host, port)


def test_an_empty_host_is_the_brokers():
    broker = Address("10.0.0.99", 1883)
    assert Address("", 4000).seen_from(broker) == Address("10.0.0.99", 4000)
    assert Address("10.0.0.1", 4000).seen_from(broker) == Address("10.0.0.1", 4000)


def test_who_listens_at_one_address_is_told_as_that():
    assert advertised_address(Address("10.0.0.1", 4000), Address("10.0.0.99", 1883)) == Address("10.0.0.1", 4000)


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("gateway", socket.AF_INET), ("::1", socket.AF_INET6)]
)
def test_the_family_is_that_of_the_host(host, family):
    assert Address(host, 1).family == family


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), (EVERYWHERE, False),
     ("192.168.1.1", False), ("gateway", False), ("::", False)],
)  # fmt: skip
def test_loopback_is_what_only_this_machine_reaches(host, loopback):
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "wildcard"), [(EVERYWHERE, True), ("::", True), ("127.0.0.1", False), ("gateway", False), ("", False)]
)
def test_a_wildcard_is_every_address(host, wildcard):
    assert is_wildcard(host) is wildcard


@pytest.mark.parametrize(
    ("listen", "local"),
    [(EVERYWHERE, "127.0.0.1"), ("::", "::1"), ("192.168.1.5", "192.168.1.5"), ("fd77::5", "fd77::5")],
)
def test_processes_of_this_machine_reach_a_listener_by_the_version_that_it_speaks(listen, local):
    assert local_address(Address(listen, 7883)) == Address(local, 7883)
