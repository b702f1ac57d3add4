"""Tests wait for their turn, and take the port that nobody else has."""

from __future__ import annotations

import asyncio
import itertools
import threading
import types
from contextlib import ExitStack

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.extent import EXAMPLES, Extent, examples, one_in
from tests.ports import free_port
from tests.scheduling import NETWORKS, SHARED, WAITING, Part, Scheduling, part_of, parts_of, scope_of
from tests.settling import settled, until
from tests.turns import turn


def begun(folder, *, alone):
    """Start another process's turn, as far as locks can tell; return its thread and whether it has begun."""
    has_begun, may_end = threading.Event(), threading.Event()

    def run():
        with turn(folder, alone=alone):
            has_begun.set()
            may_end.wait()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, has_begun, may_end


@pytest.mark.parametrize(("mine", "other"), [(True, True), (True, False), (False, True)])
def test_no_test_begins_beside_one_that_is_alone(tmp_path, mine, other):
    with turn(tmp_path, alone=mine):
        thread, has_begun, may_end = begun(tmp_path, alone=other)
        assert not has_begun.wait(0.05)
    assert has_begun.wait(10)
    may_end.set()
    thread.join()


def test_others_run_side_by_side(tmp_path):
    with turn(tmp_path, alone=False):
        thread, has_begun, may_end = begun(tmp_path, alone=False)
        assert has_begun.wait(10)
        may_end.set()
        thread.join()


def test_examples_are_as_many_as_were_asked_for_with_all():
    with ExitStack() as stack:
        before = settings.get_current_profile_name()
        stack.callback(settings.load_profile, before)
        found = {}
        for extent in EXAMPLES:
            settings.load_profile(extent)
            found[extent] = examples(60)
    assert found == {Extent.DEFAULT: 12, Extent.ALL: 60, Extent.LONG: 600}


def test_one_case_in_so_many_is_not_slow():
    cases = one_in(3, ["a", "b", "c", ("d", 1), "e"])
    assert (cases[0], cases[3]) == ("a", ("d", 1))
    assert [[mark.name for mark in case.marks] for case in cases if hasattr(case, "marks")] == [["slow"]] * 3


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("tests/unit/test_turns.py::test_a", "tests/unit/test_turns.py::test_b[::x]", True),
        ("tests/unit/test_turns.py::test_a", "tests/unit/test_contract.py::test_a", False),
        ("tests/cluster/test_home.py::test_a[1]", "tests/cluster/test_home.py::test_a[2]", False),
        ("tests/cluster/test_bench.py::test_a", "tests/cluster/test_bench.py::test_b", True),
        ("tests/cluster/test_network.py::test_a", "tests/cluster/test_finding_gateway.py::test_a", True),
    ],
)
def test_tests_stay_together_that_share_what_takes_long_to_make(one, other, together):
    assert (scope_of(one) == scope_of(other)) is together


def test_the_scheduler_is_ours(pytestconfig):
    assert Scheduling._split_scope is not LoadScopeScheduling._split_scope
    hooks = pytestconfig.pluginmanager.hook.pytest_xdist_make_scheduler.get_hookimpls()
    assert any(hook.function.__module__.endswith("conftest") for hook in hooks)


def test_the_files_that_stay_together_are_there(pytestconfig):
    assert all((pytestconfig.rootpath / file).is_file() for file in SHARED | NETWORKS | WAITING)


def test_the_files_whose_tests_have_hosts_stay_together(pytestconfig):
    """Or one process would wait for the hosts of the other."""
    with_hosts = {
        str(file.relative_to(pytestconfig.rootpath))
        for file in (pytestconfig.rootpath / "tests").rglob("test_*.py")
        if "10.77.3." in file.read_text() and file.name != "test_turns.py"
    }
    assert with_hosts == NETWORKS


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6])
def test_every_part_has_a_process_and_those_with_clusters_run_the_rest_in_the_end(workers):
    parts = [parts_of(f"gw{number}", workers) for number in range(workers)]
    assert {part for each in parts for part in each} == set(Part)
    assert set(parts[-1]) == set(Part)  # so that all is run, whichever ends first
    with_clusters = sum(Part.CLUSTERS in each for each in parts)
    assert with_clusters == (workers if workers < 4 else workers - 2)


class Node:
    """A process that tests are sent to."""

    def __init__(self, number):
        self.gateway = types.SimpleNamespace(id=f"gw{number}")
        self.sent = []
        self.shutting_down = False

    def send_runtest_some(self, tests):
        self.sent += tests

    def shutdown(self):
        self.shutting_down = True


COLLECTED = [
    "tests/cluster/test_home.py::test_a",
    "tests/cluster/test_home.py::test_b",
    "tests/cluster/test_network.py::test_a",
    "tests/integration/test_bus.py::test_a",
    "tests/integration/test_bus.py::test_b",
    "tests/integration/test_systemd.py::test_a",
    "tests/unit/test_turns.py::test_a",
    "tests/unit/test_contract.py::test_a",
]


def scheduled(workers, collected):
    """A scheduler that has sent so many processes their first tests."""
    option = types.SimpleNamespace(loadscopereorder=True, tx=[f"{workers}*popen"])
    config = types.SimpleNamespace(option=option, getvalue=vars(option).__getitem__)
    scheduler = Scheduling(config, Producer("test", enabled=False))
    nodes = [Node(number) for number in range(workers)]
    for node in nodes:
        scheduler.add_node(node)
        scheduler.add_node_collection(node, collected)
    scheduler.schedule()
    return scheduler, nodes


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_all_tests_are_run_once_and_what_must_stay_together_by_one_process(workers):
    ran = ran_by(workers, COLLECTED)
    assert sorted(itertools.chain(*ran)) == sorted(COLLECTED)
    for each in ran:
        assert ("tests/integration/test_bus.py::test_a" in each) is ("tests/integration/test_bus.py::test_b" in each)
    if workers == 4:
        assert {part_of(test) for test in ran[0]} == {Part.COMPUTING}
        assert {part_of(test) for test in ran[1]} == {Part.WAITING}


@pytest.mark.parametrize("tests", [each[:count] for each in (COLLECTED, COLLECTED[::-1]) for count in (1, 2, 3)])
def test_a_few_tests_are_run_by_whichever_processes_there_are_for_them(tests):
    assert sorted(itertools.chain(*ran_by(4, tests))) == sorted(tests)


def ran_by(workers, collected):
    """What each of so many processes has run in the end."""
    scheduler, nodes = scheduled(workers, collected)
    done = [[] for _ in nodes]
    while not scheduler.tests_finished:
        for node, finished in zip(nodes, done, strict=True):
            if len(node.sent) - len(finished) > 1:  # its last one runs when it is told that no other will come
                finished.append(node.sent[len(finished)])
                scheduler.mark_test_complete(node, finished[-1])
    return [[collected[number] for number in node.sent] for node in nodes]


def test_ports_are_not_of_those_that_the_system_gives_away(monkeypatch):
    monkeypatch.setattr("shared.process.free_ports.socket", Occupied)
    monkeypatch.setattr(Occupied, "ports", {free_port()})
    found = [free_port() for _ in range(50)]
    assert len(set(found)) == 50
    assert not Occupied.ports & set(found)
    assert max(found) < 32768


class Occupied:
    """In the place of the module `socket`: some ports are used, and it opens none."""

    ports: frozenset[int] | set[int] = frozenset()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @classmethod
    def socket(cls):
        return cls()

    def bind(self, address):
        if address[1] in self.ports:
            raise OSError


async def test_all_that_can_happen_has_happened():
    seen, last = [], asyncio.Event()

    async def step(number):
        if number:
            await asyncio.create_task(step(number - 1))
        seen.append(number)

    task = asyncio.create_task(step(30))
    waiting = asyncio.create_task(last.wait())
    await settled()
    assert (len(seen), task.done(), waiting.done()) == (31, True, False)
    last.set()
    await waiting


async def test_what_never_rests_and_what_never_happens_are_told():
    async def busy():
        while True:  # noqa: ASYNC110  (that is the point)
            await asyncio.sleep(0)

    task = asyncio.create_task(busy())
    with pytest.raises(AssertionError, match="never waits"):
        await settled()
    task.cancel()
    with pytest.raises(AssertionError, match="rain did not happen"):
        await until("rain", lambda: False, timeout_s=0.01)
