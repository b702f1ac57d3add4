from __future__ import annotations

from shared.network.interfaces import networks_in

TABLE = """\
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
fd770000000000000000000000000005 04 40 00 80     eth0
20010db8000500000000000000000005 04 40 00 00     eth0
20010db80005000045f2000000000001 04 40 00 01     eth0
20010db80005000000000000000000aa 04 40 00 40     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""


def test_lasting_addresses_of_ipv6_are_listed_with_their_networks():
    """Not the link's own, not one that changes each day, not one that is not usable yet, and not the loopback."""
    assert [str(found) for found in networks_in(TABLE)] == ["fd77::5/64", "2001:db8:5::5/64"]


def test_a_machine_without_ipv6_has_none():
    assert list(networks_in("")) == []
