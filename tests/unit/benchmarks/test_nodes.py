from __future__ import annotations

import os
import shutil

import pytest

from benchmarks.cluster import emulated_network as networking
from benchmarks.cluster import limits as limiting
from benchmarks.cluster.limits import NodeLimits
from benchmarks.cluster.nodes import EmulatedNodes, open_nodes
from benchmarks.cluster.shaping import Link
from shared.errors import ConfigurationError

NAMES = ("gateway", "edge-1")
LIMITS = {name: NodeLimits(cpu=0.2) for name in NAMES}
WIFI = Link(20, shared=True)


def test_without_root_nodes_are_on_loopback_and_say_why(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with open_nodes(NAMES, LIMITS, WIFI) as nodes:
        assert (nodes.shaped, nodes.reason) == (False, "emulating a network needs root")
        nodes.lift_cpu_limits()
        nodes.set_cpu_limits()
        nodes.set_cpu(NAMES[0], 0.1)
        nodes.set_rate(NAMES[0], WIFI)
        for name in NAMES:
            assert nodes.address(name) == "127.0.0.1"
            assert nodes.command(name) == nodes.bare_command(name) == []
            assert nodes.counters(name) is nodes.cpu_seconds(name) is nodes.peak_memory_bytes(name) is None


def test_without_iproute2_the_reason_says_what_to_install(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert networking.network_unavailable_reason() == "emulating a network needs ip and tc; install iproute2"


def test_a_machine_that_shapes_links_but_limits_nothing_is_not_half_emulated(monkeypatch):
    monkeypatch.setattr(networking, "network_unavailable_reason", lambda _: "")
    monkeypatch.setattr(limiting, "limits_unavailable_reason", lambda: "no control groups")
    nodes = open_nodes(NAMES, LIMITS, WIFI)
    assert (nodes.shaped, nodes.reason) == (False, "no control groups")


def test_every_node_needs_limits():
    with pytest.raises(ConfigurationError, match="nodes edge-2 have no limits"):
        EmulatedNodes([*NAMES, "edge-2"], LIMITS, WIFI)
