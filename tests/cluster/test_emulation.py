"""The emulated network and limits themselves, with small Python programs as nodes' processes.

The only tests that assert a speed: a link or a processor that is not as slow as it should be is a bug here.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cluster import emulated_network as networking
from benchmarks.cluster import limits as limiting
from benchmarks.cluster.commands import EmulationError
from benchmarks.cluster.emulated_network import EmulatedNetwork
from benchmarks.cluster.limits import ControlGroup, NodeLimits
from benchmarks.cluster.nodes import EmulatedNodes
from benchmarks.cluster.owned_names import is_alive
from benchmarks.cluster.shaping import Link

MEGABYTE = 1_000_000
NAMES = ("a", "b", "c", "d")
WIFI, SWITCH = Link(20, shared=True), Link(20, shared=False)

RECEIVE = """
import socket, sys, time
server = socket.create_server(("0.0.0.0", 7000))
print("listening", flush=True)
connection, _ = server.accept()
received, first = 0, None
while data := connection.recv(1 << 16):
    first = first or time.monotonic()
    received += len(data)
print(received, first, time.monotonic())
"""
SEND = """
import socket, sys
with socket.create_connection((sys.argv[1], 7000)) as connection:
    connection.sendall(bytes(int(sys.argv[2])))
"""
# Prints what share of a core one busy second was, and how often it had to wait.
BUSY = """
import time
begun = last = time.monotonic()
used = time.process_time()
waits = 0
while last < begun + 1:
    now = time.monotonic()
    waits, last = waits + (now - last > 0.001), now
print((time.process_time() - used) / (last - begun), waits)
"""
SLEEP = ("sh", "-c", "echo $$; exec sleep 1000")
# A process on its node prints its id; then it waits to be killed or told to end.
OWNER = f"""
import subprocess, sys
from benchmarks.cluster.limits import NodeLimits
from benchmarks.cluster.nodes import EmulatedNodes
from benchmarks.cluster.shaping import Link
with EmulatedNodes(["a", "b"], {{name: NodeLimits(0.5, 64) for name in "ab"}}, Link(20, shared=True)) as nodes:
    sleeper = subprocess.Popen([*nodes.command("a"), *{SLEEP}])
    sys.stdin.read()
    sleeper.kill()
    sleeper.wait()
"""


@pytest.fixture(autouse=True, scope="module")
def possible():
    """Skips where the kernel, or not being root, does not allow it."""
    if reason := networking.network_unavailable_reason() or limiting.limits_unavailable_reason():
        pytest.skip(reason)


def made_by(pid):
    """The namespaces and control groups that a process has made."""
    namespaces = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    folders = Path("/sys/fs/cgroup").rglob(f"dt{pid}.*")
    return {*(name for name in namespaces.split() if name.startswith(f"dt{pid}.")), *map(str, folders)}


def links(*prefix):
    """The network interfaces that are to be seen where a command with this prefix runs."""
    shown = subprocess.run([*prefix, "ip", "-json", "link"], check=True, capture_output=True, text=True).stdout
    return {link["ifname"]: link for link in json.loads(shown)}


@pytest.fixture(autouse=True)
def clean():
    """Whatever a test makes is gone at its end."""
    assert not made_by(os.getpid())
    yield
    assert not made_by(os.getpid())


@contextlib.contextmanager
def running(*command, **options):
    """A process whose first line has been read, killed and waited for at the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def transfer(network, size, *pairs):
    """Send `size` bytes for each pair of nodes, all at once: Mbit/s of each, and of all together."""
    with contextlib.ExitStack() as stack:
        receivers = []
        for _, receiver in pairs:
            process, line = stack.enter_context(running(*network.command(receiver), sys.executable, "-c", RECEIVE))
            assert line == "listening"
            receivers.append(process)
        senders = [
            stack.enter_context(
                subprocess.Popen(
                    [*network.command(sender), sys.executable, "-c", SEND, network.address(receiver), str(size)]
                )
            )
            for sender, receiver in pairs
        ]
        assert [sender.wait() for sender in senders] == [0] * len(pairs)
        ends = [tuple(map(float, process.stdout.read().split())) for process in receivers]
    assert [received for received, _, _ in ends] == [size] * len(pairs)
    mbit = size * 8 / 1e6
    together = mbit * len(pairs) / (max(last for *_, last in ends) - min(first for _, first, _ in ends))
    return [mbit / (last - first) for _, first, last in ends], together


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("link", [WIFI, SWITCH], ids=["shared", "switch"])
def test_two_nodes_reach_each_other_at_the_rate_of_the_link_and_it_is_counted(link):
    with EmulatedNetwork(NAMES[:2], link) as network:
        (rate,), _ = transfer(network, 4 * MEGABYTE, ("a", "b"))
        sent, received = network.counters("a"), network.counters("b")
        (back,), _ = transfer(network, MEGABYTE, ("b", "a"))
    assert 0.7 * link.rate_mbit <= rate <= 1.05 * link.rate_mbit
    assert 0.7 * link.rate_mbit <= back <= 1.05 * link.rate_mbit
    assert sent.sent_bytes == pytest.approx(4 * MEGABYTE, rel=0.1)
    assert received.received_bytes == pytest.approx(4 * MEGABYTE, rel=0.1)
    assert sent.received_bytes < 0.1 * sent.sent_bytes


@pytest.mark.slow
@pytest.mark.alone
def test_on_a_shared_medium_two_transfers_together_have_one_rate_and_halves_of_it():
    with EmulatedNetwork(NAMES, WIFI) as network:
        each, together = transfer(network, 2 * MEGABYTE, ("a", "b"), ("c", "d"))
    assert 0.7 * WIFI.rate_mbit <= together <= 1.05 * WIFI.rate_mbit
    assert min(each) >= 0.35 * WIFI.rate_mbit


@pytest.mark.slow
@pytest.mark.alone
def test_at_a_switch_two_transfers_have_a_rate_each():
    with EmulatedNetwork(NAMES, SWITCH) as network:
        each, _ = transfer(network, 4 * MEGABYTE, ("a", "b"), ("c", "d"))
    assert min(each) >= 0.7 * SWITCH.rate_mbit
    assert max(each) <= 1.05 * SWITCH.rate_mbit


@pytest.mark.slow
@pytest.mark.alone
def test_the_link_of_one_node_can_be_changed_in_both_directions_and_the_others_keep_theirs():
    slow = Link(2, shared=False)
    with EmulatedNetwork(NAMES, SWITCH) as network:
        network.set_rate("a", slow)
        ((there,), _), ((back,), _) = (transfer(network, MEGABYTE // 2, pair) for pair in (("a", "b"), ("b", "a")))
        (others,), _ = transfer(network, 4 * MEGABYTE, ("c", "d"))
        network.set_rate("a", SWITCH)
        (again,), _ = transfer(network, 4 * MEGABYTE, ("b", "a"))
    assert 0.7 * slow.rate_mbit <= there <= 1.1 * slow.rate_mbit
    assert 0.7 * slow.rate_mbit <= back <= 1.1 * slow.rate_mbit
    assert min(others, again) >= 0.7 * SWITCH.rate_mbit


def test_one_node_on_a_shared_medium_has_no_link_of_its_own():
    with EmulatedNetwork(NAMES[:2], WIFI) as network, pytest.raises(EmulationError, match="no link of its own"):
        network.set_rate("a", Link(2, shared=False))


def test_nodes_see_each_other_and_nothing_else():
    with EmulatedNetwork(NAMES[:2], SWITCH) as network:
        routes = subprocess.run([*network.command("a"), "ip", "route"], check=True, capture_output=True, text=True)
        inside, outside = links(*network.command("a")), links()
    assert [line.split()[:3] for line in routes.stdout.splitlines()] == [["10.77.1.0/24", "dev", "eth0"]]
    assert inside["eth0"]["mtu"] == 1500
    assert not {"bridge", "port1", "port2", "medium"} & outside.keys()


def busy(prefix):
    process = subprocess.run([*prefix, sys.executable, "-c", BUSY], check=True, capture_output=True, text=True)
    return tuple(map(float, process.stdout.split()))


@pytest.mark.slow
@pytest.mark.alone
def test_a_busy_process_gets_its_share_of_a_core_in_short_turns_until_that_is_lifted():
    with ControlGroup("edge", NodeLimits(cpu=0.2)) as group:
        share, waits = busy(group.command())
        used = group.cpu_seconds()
        group.set_cpu(None)
        lifted, _ = busy(group.command())
        group.set_cpu(0.2)
        again, _ = busy(group.command())
    assert 0.15 <= share <= 0.3
    assert 0.15 <= used <= 0.3 + 0.1  # and what starting it took
    assert waits > 30
    assert lifted > 0.3
    assert 0.15 <= again <= 0.3


def test_a_process_that_takes_more_memory_than_its_node_has_is_killed():
    with ControlGroup("edge", NodeLimits(cpu=1, memory_mb=64)) as group:
        fits, too_much = (
            subprocess.run([*group.command(), sys.executable, "-c", f"bytearray({size} * 2**20)"], check=False)
            for size in (32, 128)
        )
        peak = group.peak_memory_bytes()
    assert (fits.returncode, too_much.returncode) == (0, -9)
    assert 32 * 2**20 <= peak <= 64 * 2**20


@pytest.mark.slow
@pytest.mark.alone
def test_a_nodes_processes_have_its_address_and_limits_and_a_bare_one_its_address_alone():
    show = ["sh", "-c", "cat /proc/self/cgroup; ip -brief address show eth0"]
    limits = {"slow": NodeLimits(cpu=0.1), "fast": NodeLimits(cpu=0.8, memory_mb=256)}
    with EmulatedNodes(["slow", "fast"], limits, SWITCH) as nodes:
        within = subprocess.run([*nodes.command("fast"), *show], check=True, capture_output=True, text=True).stdout
        bare = subprocess.run([*nodes.bare_command("fast"), *show], check=True, capture_output=True, text=True).stdout
        slow, fast = (busy(nodes.command(name))[0] for name in ("slow", "fast"))
        nodes.lift_cpu_limits()
        lifted, _ = busy(nodes.command("slow"))
        nodes.set_cpu_limits()
        slow_again, _ = busy(nodes.command("slow"))
    assert nodes.address("fast") in within
    assert nodes.address("fast") in bare
    assert ".fast" in within
    assert ".fast" not in bare
    assert max(slow, slow_again) < 0.2
    assert min(fast, lifted) > 0.25


@pytest.mark.parametrize("failing", [False, True], ids=["exit", "exception"])
def test_what_still_runs_at_the_end_is_killed_and_nothing_is_left(failing):
    limits = {name: NodeLimits(cpu=0.5, memory_mb=64) for name in NAMES}
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ZeroDivisionError), EmulatedNodes(NAMES, limits, WIFI) as nodes:
            processes = [
                stack.enter_context(running(*prefix, *SLEEP))[0]
                for prefix in (nodes.command("a"), nodes.bare_command("b"))
            ]
            if failing:
                raise ZeroDivisionError
        assert [process.wait() for process in processes] == [-9, -9]


def test_a_network_that_cannot_be_finished_leaves_nothing(monkeypatch):
    monkeypatch.setattr(networking, "shape_sender", lambda *_: ["qdisc add dev eth0 root nothing-like-that"])
    with pytest.raises(EmulationError, match=r"tc -n .*: Error: Specified qdisc kind is unknown"):
        EmulatedNetwork(NAMES, WIFI).__enter__()
    assert "a network cannot be emulated here: tc" in networking.network_unavailable_reason()


def test_what_a_killed_owner_left_is_removed_by_the_next_and_a_living_ones_is_not():
    start = (sys.executable, "-c", OWNER)
    with running(*start, stdin=subprocess.PIPE) as (living, spared):
        of_living = made_by(living.pid)
        with running(*start, stdin=subprocess.PIPE) as (dead, orphan):
            pass
        assert made_by(dead.pid)
        assert is_alive(int(orphan))
        with EmulatedNetwork(["a"], SWITCH), ControlGroup("a", NodeLimits(cpu=0.5)):
            assert not made_by(dead.pid)
            assert not is_alive(int(orphan))
            assert of_living
            assert made_by(living.pid) == of_living
            assert is_alive(int(spared))
        living.stdin.close()
        assert living.wait() == 0
    assert not made_by(living.pid)
