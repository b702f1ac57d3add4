"""In which order, and in which process, tests run when several processes run them."""

from __future__ import annotations

import contextlib
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.remote import Producer
    from xdist.workermanage import WorkerController


class Part(StrEnum):
    """A part of the tests, by what most of their time is spent on."""

    COMPUTING = "computing"
    """Tests without processes and networks: nothing of them depends on how fast they are."""
    WAITING = "waiting"
    """For what a person or a network takes time for; the processor is idle meanwhile."""
    CLUSTERS = "clusters"
    """And all others: real processes that need the processor at once."""


CLUSTERS = "tests/cluster/"
SHARED = {f"{CLUSTERS}test_bench.py", f"{CLUSTERS}test_bench_scale.py"}
"""Files of clusters whose tests share what takes long to make."""
NETWORKS = {
    f"{CLUSTERS}{name}.py"
    for name in (
        "test_finding_gateway", "test_gateway_cores", "test_moving_gateway", "test_network", "test_update_of_services",
    )
}  # fmt: skip
"""Files whose tests have hosts of the same addresses, so that there can be only one at a time."""
WAITING = NETWORKS | {
    f"tests/integration/{name}.py"
    for name in (
        "test_cameras_agents", "test_cameras_mqtt", "test_cameras_rtsp", "test_cameras_web", "test_doctor",
        "test_fork_server", "test_home_assistant", "test_home_assistant_blueprint", "test_home_assistant_restarts",
        "test_life", "test_page_login", "test_security_document", "test_service",
    )
}  # fmt: skip
"""Files whose tests need two fifths of a core or less. Together they take as long as half of the others."""

DIVIDED_FROM = 4
"""Processes: with so many, the first one computes, the second one waits, and the others have the clusters."""

BACKGROUND = 5
"""How nice the process is that computes: a third of what others get, so that the longest of its tests end in time."""


def scope_of(nodeid: str) -> str:
    """Return with which others a test must run: those of its file, as what fixtures start is shared, or none."""
    file = nodeid.partition("::")[0]
    if file in NETWORKS:
        return "networks"
    return nodeid if file.startswith(CLUSTERS) and file not in SHARED else file


def part_of(nodeid: str) -> Part:
    """Return to which part a test belongs."""
    file = nodeid.partition("::")[0]
    if file in WAITING:
        return Part.WAITING
    return Part.COMPUTING if file.startswith(("tests/unit/", "tests/public/")) else Part.CLUSTERS


def parts_of(worker: str, workers: int) -> list[Part]:
    """Return which parts a process of so many runs: the next when there is nothing left of the one before."""
    if workers < DIVIDED_FROM:
        return [Part.WAITING, Part.CLUSTERS, Part.COMPUTING]
    special = {"gw0": [Part.COMPUTING], "gw1": [Part.WAITING]}
    return special.get(worker, [Part.CLUSTERS, Part.WAITING, Part.COMPUTING])


def step_back() -> None:
    """Leave the processor to others if this process has only tests that compute."""
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", ""), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")
    if parts_of(worker, int(workers)) == [Part.COMPUTING]:
        with contextlib.suppress(OSError):
            os.setsid()  # Linux compares the niceness of processes of one session, and of whole sessions
            Path("/proc/self/autogroup").write_text(str(BACKGROUND), encoding="ascii")
        os.nice(BACKGROUND)


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # its base has no types
    """Hands out tests in the order of their files: first those with clusters, which take longest, short ones last.

    So all processes end at about the same time. Four or more processes have different parts of the tests: two run
    clusters, and what these leave idle is used by one whose tests wait, and by one whose tests compute.
    """

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _reschedule(self, node: WorkerController) -> None:
        """Give a process more when it has begun its last test, and not before: another one may be free for it."""
        if not self.workqueue or self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Assign what comes first of the parts that this process runs; end it when others run all that is left."""
        for part in parts_of(node.gateway.id, self.numnodes):
            for scope, tests in self.workqueue.items():
                if part_of(next(iter(tests))) is part:
                    self.workqueue.move_to_end(scope, last=False)
                    super()._assign_work_unit(node)
                    return
        if any(self._runs_all(other) for other in self.nodes):
            node.shutdown()
        else:  # there were fewer tests than processes, or some have crashed
            super()._assign_work_unit(node)

    def _runs_all(self, node: WorkerController) -> bool:
        return not node.shutting_down and set(parts_of(node.gateway.id, self.numnodes)) == set(Part)
