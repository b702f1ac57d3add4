"""Ports for servers: below the system's own, free, and of each share alone."""

from __future__ import annotations

import socket

import pytest

from shared.network.addresses import LOOPBACK
from shared.process import free_ports
from shared.process.free_ports import LOWEST_PORT, FreePorts, free_port


@pytest.fixture
def few_ports(tmp_path, monkeypatch):
    """A system whose ephemeral ports begin 8 above the lowest of servers."""
    given = tmp_path / "ip_local_port_range"
    given.write_text(f"{LOWEST_PORT + 8}\t60999\n")
    monkeypatch.setattr(free_ports, "EPHEMERAL_PORTS", given)


def test_a_port_is_below_the_ephemeral_ones_and_can_be_listened_on():
    lowest_ephemeral = int(free_ports.EPHEMERAL_PORTS.read_text().split()[0])
    for port in (free_port(), free_port()):
        assert LOWEST_PORT <= port < lowest_ephemeral
        with socket.create_server((LOOPBACK, port)):
            pass


@pytest.mark.usefixtures("few_ports")
def test_shares_never_meet_and_no_port_is_returned_twice_in_a_row():
    shares = [{ports.take() for _ in range(3)} for ports in (FreePorts(0, 2), FreePorts(1, 2))]
    assert [len(share) for share in shares] == [3, 3]
    assert not shares[0] & shares[1]


@pytest.mark.usefixtures("few_ports")
def test_a_port_in_use_is_not_returned_and_having_none_is_said():
    ports = FreePorts(0, 8)
    port = ports.take()
    assert ports.take() == port
    with socket.create_server((LOOPBACK, port)), pytest.raises(OSError, match="no port is free"):
        ports.take()
