"""Checks of the gateway: its state, release, clock, plan and page, and Home Assistant's broker. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.doctor.doctor_findings import failed, not_tried, passed, split_cure, warned
from shared.doctor.likely_causes import CHECK_LOG, find_cause
from shared.network.hosts import is_loopback
from shared.payloads.cluster import State
from shared.status.status_report import GATEWAY_SILENT_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shared.doctor.doctor_facts import Facts
    from shared.doctor.doctor_findings import Finding
    from shared.status.status_report import Problem

MAX_CLOCK_AHEAD_S = 10.0
"""If the gateway's last message is later than this device's clock by more than this, the clocks differ.

Messages take milliseconds.
"""


def check_gateway(facts: Facts) -> Iterator[Finding]:
    """Check that a gateway publishes at this broker, below this prefix."""
    cluster, broker = facts.cluster, facts.gateway
    if cluster is None:
        yield not_tried("gateway", "its messages were not read")
    elif cluster.state is None:
        yield failed(
            "gateway", f"no gateway found at broker {broker} below '{facts.prefix}/'",
            "it is the broker of the house, the gateway has another topic prefix, or it has never started there",
            "start it there: deepthings gateway; or name its own broker with --gateway HOST, or its --topic-prefix",
        )  # fmt: skip
    elif cluster.state.state is not State.ONLINE:
        yield failed(
            "gateway", f"the gateway at broker {broker} is offline", "it was stopped, or ended with an error",
            f"start it again on {cluster.state.identity}: deepthings gateway; its log has the reason why it ended",
        )  # fmt: skip
    else:
        yield passed("gateway", f"online, on {cluster.state.identity}")


def check_release(facts: Facts) -> Iterator[Finding]:
    """Check that this device has the gateway's release."""
    state = facts.cluster.state if facts.cluster else None
    if state is None:
        yield not_tried("release", "the gateway has not said its own")
    elif state.version != facts.own_release:
        yield failed(
            "release", f"{facts.own_release} here, {state.version or 'unknown'} on the gateway",
            "only one of them was updated", "install the same release on both: sudo deepthings update",
        )  # fmt: skip
    else:
        yield passed("release", f"{facts.own_release}, here and on the gateway")


def check_clock(facts: Facts) -> Iterator[Finding]:
    """Check that the time of the gateway's last message fits the clock of this device.

    A wrong clock is only a warning, because keys do not depend on it.
    """
    health = facts.cluster.health if facts.cluster else None
    if health is None:
        yield not_tried("clock", "the gateway has published no time")
        return
    behind = health.at - facts.at
    if behind > MAX_CLOCK_AHEAD_S:
        what = f"this device is {_duration(behind)} behind the gateway"
    elif -behind > GATEWAY_SILENT_AFTER_S:
        what = f"the gateway's last message is of {_duration(-behind)} ago, by the clocks of both devices"
    else:
        yield passed("clock", "it agrees with the gateway's")
        return
    yield warned(
        "clock", what, "one of the clocks is wrong: a Pi has none, and asks the network for the time",
        "set both: sudo timedatectl set-ntp true; 'date' shows the time; if both are right, restart the gateway",
    )  # fmt: skip


def check_plan_offer(facts: Facts) -> Iterator[Finding]:
    """Check that the gateway offers a plan for its edges."""
    if facts.plan is not None:
        way = "whole frames" if facts.plan.tile_count == 1 else f"{facts.plan.tile_count} tiles"
        yield passed("plan", f"{facts.plan.method} of {facts.plan.model}: {way}")
    elif facts.cluster is not None and facts.cluster.info is not None:
        yield failed(
            "plan", "the gateway publishes here, but no plan for edges",
            "edges connect to the gateway's own broker, and this is another one",
            f"name that one: --gateway {_own_broker(facts)}",
        )  # fmt: skip
    else:
        yield not_tried("plan", "there is no gateway")


def check_page(facts: Facts) -> Iterator[Finding]:
    """Check the gateway's page: on its own machine, and on others if it listens to them."""
    info, address = facts.cluster.info if facts.cluster else None, facts.page_address
    if facts.page is None or address is None:
        why = "the gateway has none, or does not tell of it"
        if info is not None and info.page_port:
            why = (
                f"it listens on the gateway's own machine only, at {info.page_host}:{info.page_port}; page: {{listen: "
                "0.0.0.0} in the configuration opens it to others, also out of a container"
            )
        yield not_tried("page", why)
    elif not facts.page:
        yield passed("page", f"it answers at {address}")
    elif facts.on_gateway:
        yield warned(
            "page", f"http://{address}: {facts.page}", "the page is off, or has another port",
            "write page: {enabled: true} into the configuration, or open the port that is written there",
        )  # fmt: skip
    else:
        yield warned(
            "page", f"{address}: {facts.page}",
            "its port is not published from the container that the gateway runs in, or a firewall is closed there",
            f"publish it: docker run -p {address.port}:{address.port}, or ports: in the compose file; or on the "
            f"gateway: sudo ufw allow {address.port}/tcp",
        )  # fmt: skip


def check_home_assistant(facts: Facts, problems: Sequence[Problem]) -> Iterator[Finding]:
    """Check the broker of the house, and that devices are announced there to Home Assistant."""
    info = facts.cluster.info if facts.cluster else None
    if info is None:
        yield not_tried("home's broker", "the gateway has not told of it")
        return
    for problem in problems:
        what, included = split_cure(problem.what)
        cure = problem.cure or included or "deepthings check-config --connect deepthings.yaml, on the gateway"
        yield failed("home's broker", what, find_cause(problem.what), cure)
    if not problems:
        told = "Home Assistant's discovery is on" if info.home_assistant else "Home Assistant's discovery is off"
        yield passed("home's broker", f"the gateway reports no problem with it; {told}")


def check_others(problems: Sequence[Problem]) -> Iterator[Finding]:
    """Report the other problems that the gateway publishes."""
    for problem in problems:
        what, included = split_cure(problem.what)
        cure = problem.cure or included or CHECK_LOG
        yield failed("gateway's problems", what, find_cause(problem.what), cure)
    if not problems:
        yield passed("gateway's problems", "no others")


def _own_broker(facts: Facts) -> str:
    info = facts.cluster.info if facts.cluster else None
    host = info.cluster_host if info is not None and not is_loopback(info.cluster_host) else ""
    port = info.cluster_port if info is not None and info.cluster_port else 7883
    return f"{host or facts.gateway.host}:{port}"


def _duration(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86400:.0f} d"
