"""The ordered list of checks: facts in, findings out. Checks that depend on a failed one are not tried. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from shared.doctor.camera_checks import check_cameras, check_speed
from shared.doctor.device_checks import check_disk, check_memory, check_own_cores, check_own_name, check_power
from shared.doctor.doctor_findings import CheckResult, Examination, Finding, not_tried
from shared.doctor.edge_checks import check_edges, check_edges_data, check_gateway_data, check_links
from shared.doctor.gateway_checks import (
    check_clock,
    check_gateway,
    check_home_assistant,
    check_others,
    check_page,
    check_plan_offer,
    check_release,
)
from shared.doctor.way_checks import (
    check_broker,
    check_broker_login,
    check_echo,
    check_host_name,
    check_keys,
    check_membership,
    check_port,
)
from shared.payloads.cluster import State
from shared.status.status_report import build_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.doctor.doctor_facts import Facts
    from shared.status.status_report import Problem, Status


class _Check(NamedTuple):
    """A check by name, the checks that must not have failed before it, and its function."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[Facts], Iterable[Finding]]


_LOGGED_IN = ("name", "port", "broker", "login")
"""A check that uses a connection to the broker needs these checks to pass."""

_WITH_GATEWAY = (*_LOGGED_IN, "access rules", "gateway")
"""A check that uses messages of the gateway needs these checks to pass."""


class _SortedProblems:
    """The problems of `deepthings status`, sorted by subject; each is in one list only."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.edges: dict[str, list[Problem]] = defaultdict(list)
        """By edge; problems of all edges together have an empty name."""
        self.cameras: dict[str, list[Problem]] = defaultdict(list)
        self.links: list[Problem] = []
        self.broker: list[Problem] = []
        self.others: list[Problem] = []
        for problem in problems:
            self._sort(problem)

    def _sort(self, problem: Problem) -> None:
        what = problem.what
        camera = re.match(r"(?:frames of )?camera ([a-z0-9_-]+)\b", what)
        edge = re.match(r"edge ([a-z0-9_-]+)\b", what)
        if "cannot reach" in what or re.search(r"listens on \S+ only", what):
            self.links.append(problem)
        elif camera:
            self.cameras[camera[1]].append(problem)
        elif edge:
            self.edges[edge[1]].append(problem)
        elif re.match(r"no edge (is|may)|two edges", what):
            self.edges[""].append(problem)
        elif re.match(r"(the )?broker ", what):
            self.broker.append(problem)
        elif not what.startswith("the gateway has not published"):  # check_clock reports this problem
            self.others.append(problem)


def diagnose(facts: Facts) -> Examination:
    """Return the findings on these facts, in the order of the checks."""
    status = _status_of(facts)
    findings: list[Finding] = []
    blocking: dict[str, str] = {}  # by check that failed, or was not tried after a failure: the failure
    for check in _checks(status):
        missing = next((name for name in check.needs if name in blocking), None)
        found = [not_tried(check.name, blocking[missing])] if missing else list(check.run(facts))
        findings += found
        if any(each.result is CheckResult.FAILED for each in found):
            blocking[check.name] = f"the check '{check.name}' failed"
        elif missing:
            blocking[check.name] = blocking[missing]
    ok = not any(finding.result is CheckResult.FAILED for finding in findings)
    return Examination(at=facts.at, gateway=str(facts.gateway), ok=ok, findings=tuple(findings))


def _status_of(facts: Facts) -> Status | None:
    cluster = facts.cluster
    if cluster is None or cluster.state is None or cluster.state.state is not State.ONLINE:
        return None
    return build_status(cluster, cluster.state, str(facts.gateway), facts.at)


def _checks(status: Status | None) -> tuple[_Check, ...]:
    problems = _SortedProblems(status.problems if status else ())
    return (
        _Check("keys", (), check_keys),
        _Check("name", (), check_host_name),
        _Check("port", ("name",), check_port),
        _Check("broker", ("keys", "name", "port"), check_broker),
        _Check("login", ("keys", "name", "port", "broker"), check_broker_login),
        _Check("access rules", _LOGGED_IN, check_echo),
        _Check("gateway", (*_LOGGED_IN, "access rules"), check_gateway),
        _Check("membership", _WITH_GATEWAY, check_membership),
        _Check("release", _WITH_GATEWAY, check_release),
        _Check("clock", _WITH_GATEWAY, check_clock),
        _Check("plan", _WITH_GATEWAY, check_plan_offer),
        _Check("program cache", (), check_disk),
        _Check("memory", (), check_memory),
        _Check("cores", (), check_own_cores),
        _Check("power", (), check_power),
        _Check("name in the cluster", _WITH_GATEWAY, check_own_name),
        _Check("data plane", (*_WITH_GATEWAY, "membership"), check_gateway_data),
        _Check("data plane of edges", (*_WITH_GATEWAY, "membership"), check_edges_data),
        _Check("between devices", _WITH_GATEWAY, lambda _: check_links(problems.links)),
        _Check("edges", _WITH_GATEWAY, lambda facts: check_edges(facts, status, problems.edges)),
        _Check("speed", _WITH_GATEWAY, lambda _: check_speed(status)),
        _Check("cameras", _WITH_GATEWAY, lambda facts: check_cameras(facts, status, problems.cameras)),
        _Check("home's broker", _WITH_GATEWAY, lambda facts: check_home_assistant(facts, problems.broker)),
        _Check("page", _WITH_GATEWAY, check_page),
        _Check("gateway's problems", _WITH_GATEWAY, lambda _: check_others(problems.others)),
    )
