"""Checks of the edges: each one's state, its data plane, its cores, speed and temperature. Pure."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from shared.doctor.device_checks import own_edge
from shared.doctor.doctor_findings import failed, not_tried, passed, split_cure, warned
from shared.doctor.likely_causes import CHECK_LOG, find_cause
from shared.payloads.cluster import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shared.doctor.doctor_facts import Facts, ReachAnswer
    from shared.doctor.doctor_findings import Finding
    from shared.payloads.cluster import NodeReport
    from shared.status.status_report import EdgeStatus, Problem, Status

MIN_LINK_BYTES_PER_S = 2**20
"""A slower link is a failure. At this rate, 8 Mbit/s, a picture of 640x480 pixels takes almost a second."""

MAX_TEMPERATURE = 80.0
"""Degrees Celsius; a Raspberry Pi slows down from here on."""

MIN_SPEED_SHARE = 0.5
"""An edge below this share of the median speed of edges with as many cores is slowed down by something."""

MANY_CORES = 2
"""On a device with at least this many cores, an edge that computes on half of them or fewer leaves cores unused.

One core may be left to the cameras.
"""


def check_gateway_data(facts: Facts) -> Iterator[Finding]:
    """Check that this device reaches the gateway's data plane, and how fast it is."""
    answer = facts.gateway_data
    if answer is None:
        yield not_tried("data plane", "its address is not known")
        return
    if answer.reason:
        what, _ = split_cure(answer.reason)
        yield failed(
            "data plane", f"the gateway at {answer.address}: {what}",
            "a firewall is closed there, or its data plane listens on its own machine only",
            f"open the port there: sudo ufw allow {_port_of(answer.address)}/tcp; and check cluster.listen and "
            "cluster.data_port (--listen, --data-port)",
        )  # fmt: skip
        return
    yield passed("data plane", f"the gateway answers at {answer.address}")
    if not answer.bytes_per_s:
        yield not_tried("link", "there was nothing large to fetch from the gateway")
        return
    rate = f"{answer.bytes_per_s * 8 / 1e6:.0f} Mbit/s from the gateway"
    if answer.bytes_per_s < MIN_LINK_BYTES_PER_S:
        yield failed(
            "link", rate, "the Wi-Fi is weak or crowded, or a cable is broken",
            "use a cable, or a better place for the Wi-Fi; iw dev wlan0 link shows its signal",
        )  # fmt: skip
    else:
        yield passed("link", rate)


def check_edges_data(facts: Facts) -> Iterator[Finding]:
    """Check that this device reaches the data plane of each edge."""
    if not facts.edges_data:
        yield not_tried("data plane of edges", "no other edge is online")
    for name, answer in sorted(facts.edges_data.items()):
        yield from _edge_data(name, answer)


def _edge_data(name: str, answer: ReachAnswer) -> Iterator[Finding]:
    check = f"data plane of {name}"
    if answer.reason:
        what, _ = split_cure(answer.reason)
        yield failed(
            check, f"{answer.address}: {what}",
            "a firewall is closed on its device, or it listens on its own machine only",
            f"open the port there: sudo ufw allow {_port_of(answer.address)}/tcp; start it with --listen 0.0.0.0",
        )  # fmt: skip
    else:
        yield passed(check, f"it answers at {answer.address}")


def check_links(problems: Sequence[Problem]) -> Iterator[Finding]:
    """Report which devices do not reach each other, as they say themselves."""
    for problem in problems:
        what, included = split_cure(problem.what)
        yield failed("between devices", what, find_cause(problem.what), problem.cure or included)
    if not problems:
        yield passed("between devices", "no device reports another one that it cannot reach")


def check_edges(facts: Facts, status: Status | None, problems: Mapping[str, Sequence[Problem]]) -> Iterator[Finding]:
    """Check each edge: its state, as `deepthings status` words it, its cores, its temperature and its speed."""
    if status is None:
        yield not_tried("edges", "the gateway has not told of them")
        return
    nodes = facts.cluster.nodes.nodes if facts.cluster and facts.cluster.nodes else {}
    yield from _edge_problems("edges", problems.get("", ()))
    if not status.edges and not problems.get(""):
        yield failed(
            "edges", "no edge is known", "no device runs deepthings edge",
            "deepthings invite NAME on the gateway, the command that it prints on the device, and there: deepthings "
            "edge --listen 0.0.0.0",
        )  # fmt: skip
    for name, edge in status.edges.items():
        found = [
            *_edge_problems(f"edge {name}", problems.get(name, ())),
            *_edge_remarks(facts, name, edge, nodes, status),
        ]
        yield from found or [passed(f"edge {name}", _edge_summary(edge))]


def _edge_problems(check: str, problems: Sequence[Problem]) -> Iterator[Finding]:
    for problem in problems:
        what, included = split_cure(problem.what.removeprefix(f"{check} "))
        yield failed(check, what, find_cause(problem.what), problem.cure or included or CHECK_LOG)


def _edge_remarks(
    facts: Facts, name: str, edge: EdgeStatus, nodes: Mapping[str, NodeReport], status: Status
) -> Iterator[Finding]:
    check, node = f"edge {name}", nodes.get(name)
    if edge.state is not State.ONLINE:
        return
    if node is not None and node.drained:
        yield warned(
            check, "it is drained: it gets no tiles of other edges", "somebody sent the request drain_node",
            f"publish the other one at {facts.prefix}/bridge/request/resume_node, with the payload "
            f'{{"node": "{name}"}}',
        )  # fmt: skip
    yield from _unused_cores(facts, name, edge)
    if edge.temperature is not None and edge.temperature >= MAX_TEMPERATURE:
        yield warned(
            check, f"its processor has {edge.temperature:.0f} °C", "no cooling, or a closed case",
            "give it a heat sink or a fan; vcgencmd measure_temp there shows the temperature",
        )  # fmt: skip
    yield from _low_speed(facts, name, edge, status)


def _unused_cores(facts: Facts, name: str, edge: EdgeStatus) -> Iterator[Finding]:
    check, cores, threads = f"edge {name}", edge.cores or 0, edge.threads or 0
    usable = edge.usable_cores or cores
    if cores and usable <= cores / 2:
        yield warned(
            check, f"it may use {usable:.2g} of {cores} cores",
            "a quota of a container or a service (CPUQuota=) limits it",
            "systemctl show -p CPUQuotaPerSecUSec deepthings-edge there; docker update --cpus 0 NAME for a container",
        )  # fmt: skip
    elif cores >= MANY_CORES and 0 < threads <= cores / 2 and not _shares_device(facts, name):
        yield warned(
            check, f"it computes on {threads} of {cores} cores", "it was started with --threads or --max-cores",
            "start it without them: deepthings edge --listen 0.0.0.0; for a service: sudo deepthings service install "
            "edge --listen 0.0.0.0",
        )  # fmt: skip


def _shares_device(facts: Facts, name: str) -> bool:
    """Return whether other edges run on the same device, as in a test or a demonstration."""
    node = facts.nodes.get(name)
    network = node.identity.network if node is not None else ""
    same = [other for other in facts.nodes.values() if network and other.identity.network == network]
    return sum(1 for other in same if other.state is State.ONLINE) > 1


def _low_speed(facts: Facts, name: str, edge: EdgeStatus, status: Status) -> Iterator[Finding]:
    check, speed, plan = f"edge {name}", edge.computable_per_s, facts.plan
    if not speed:
        return
    if plan is not None and plan.tile_count == 1 and 1 / speed > plan.deadline_s:
        yield failed(
            check,
            f"it needs {1 / speed:.1f} s for a whole frame, and frames are dropped after {plan.deadline_s:.0f} s",
            "the network is too large for this device",
            "divide frames: deepthings gateway --method ftp-wst --grid 3x3; or take a smaller network with --model",
        )  # fmt: skip
        return
    others = [
        other.computable_per_s
        for key, other in status.edges.items()
        if key != name and other.state is State.ONLINE and other.computable_per_s and _alike(other, edge)
    ]
    if others and speed < MIN_SPEED_SHARE * statistics.median(others):
        yield warned(
            check, f"it can compute {speed:.2g} frames/s, others with as many cores {statistics.median(others):.2g}",
            "its processor is slowed down (heat, weak power supply), or another program keeps it busy",
            "vcgencmd get_throttled and top there" + (", or read 'power' here" if own_edge(facts) == name else ""),
        )  # fmt: skip


def _alike(one: EdgeStatus, other: EdgeStatus) -> bool:
    return one.cores == other.cores and one.threads == other.threads


def _edge_summary(edge: EdgeStatus) -> str:
    """Return the address, release, cores, speed and temperature of an edge as text."""
    words = [f"online at {edge.address}", f"release {edge.release}"]
    if edge.threads and edge.cores:
        words.append(f"{edge.threads} of {edge.cores} cores")
    if edge.computable_per_s:
        words.append(f"up to {edge.computable_per_s:.2g} frames/s")
    if edge.temperature is not None:
        words.append(f"{edge.temperature:.0f} °C")
    return ", ".join(words)


def _port_of(address: str) -> str:
    return address.rpartition(":")[2]
