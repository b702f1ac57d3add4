from __future__ import annotations

from ipaddress import IPv6Interface

import pytest

from shared.network.addresses import Address
from shared.network.announcement import announced_addresses, announced_places

OURS = "a" * 26
FIELDS = {b"cluster": OURS.encode()}
HERE = ["127.0.0.1", "192.168.1.10", "172.17.0.1", "fd77::5", "2001:db8:5::5"]


@pytest.mark.parametrize(
    ("listen", "announced"),
    [
        ("0.0.0.0", ("172.17.0.1", "192.168.1.10")),  # noqa: S104
        ("192.168.1.10", ("192.168.1.10",)),
        ("192.168.1.99", ()),
        ("127.0.0.1", ()),
        ("::", ("2001:db8:5::5", "fd77::5")),
        ("fd77::5", ("fd77::5",)),
        ("fd77::9", ()),
        ("::1", ()),
        ("gateway.lan", ()),
    ],
)
def test_a_gateway_is_announced_at_the_addresses_that_it_listens_on_and_has(listen, announced):
    assert announced_addresses(listen, HERE) == announced


def test_the_order_of_interfaces_is_no_change():
    assert announced_addresses("0.0.0.0", HERE) == announced_addresses("0.0.0.0", HERE[::-1])  # noqa: S104


def test_an_announcement_says_where_edges_of_its_cluster_may_ask():
    places = announced_places(OURS, FIELDS, 7886, ["192.168.1.20", "10.0.0.2"])
    assert places == (Address("192.168.1.20", 7886), Address("10.0.0.2", 7886))


@pytest.mark.parametrize("fields", [{}, {b"cluster": b"b" * 26}, {b"cluster": None}, {b"other": OURS.encode()}])
def test_an_announcement_of_another_cluster_or_of_none_leads_nowhere(fields):
    assert announced_places(OURS, fields, 7886, ["192.168.1.20"]) == ()


@pytest.mark.parametrize("port", [None, 0, -1, 65536])
def test_an_announcement_without_a_port_leads_nowhere(port):
    assert announced_places(OURS, FIELDS, port, ["192.168.1.20"]) == ()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0.0.0.0",  # noqa: S104
        "224.0.0.251",
        "255.255.255.255",
        "8.8.8.8",
        "fe80::1",
        "::1",
        "::",
        "ff02::fb",
        "2001:db8:6::20",
        "2a00::1",
        "home",
        "",
    ],
)
def test_nobody_makes_an_edge_knock_at_itself_at_everybody_or_at_a_machine_outside(host):
    own = [IPv6Interface("2001:db8:5::5/64"), IPv6Interface("fd77::5/64")]
    assert announced_places(OURS, FIELDS, 7886, [host], own) == ()


def test_one_announcement_leads_to_few_addresses():
    assert len(announced_places(OURS, FIELDS, 7886, [f"10.0.0.{number}" for number in range(1, 100)])) == 8


def test_addresses_of_ipv6_are_tried_where_they_are_private_or_of_our_own_networks():
    own = [IPv6Interface("2001:db8:5::5/64")]
    places = announced_places(OURS, FIELDS, 7886, ["fd99::1", "2001:db8:5::20", "2001:db8:5:1::20"], own)
    assert places == (Address("fd99::1", 7886), Address("2001:db8:5::20", 7886))
    assert str(places[0]) == "[fd99::1]:7886"
