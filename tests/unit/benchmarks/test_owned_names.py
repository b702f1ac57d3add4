from __future__ import annotations

import os
import subprocess

import pytest

from benchmarks.cluster.owned_names import check_node_names, is_alive, is_leftover, new_prefix
from shared.errors import ConfigurationError


@pytest.fixture
def dead():
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_every_prefix_is_new_and_tells_its_owner():
    first, second = new_prefix(), new_prefix()
    assert first != second
    assert first.startswith(f"dt{os.getpid()}.")


def test_what_a_dead_process_named_is_left_over(dead):
    assert is_leftover(f"dt{dead}.0.edge-1")


def test_what_living_processes_named_is_not_left_over():
    assert not is_leftover(f"dt{os.getppid()}.0.edge-1")
    assert not is_leftover(f"{new_prefix()}edge-1")


def test_a_name_with_our_id_that_we_did_not_give_is_of_a_dead_process_before_us():
    assert is_leftover(f"dt{os.getpid()}.999999.edge-1")


@pytest.mark.parametrize("name", ["dt{}", "dt{}.0", "dt{}.0.", "dt{}-1", "xdt{}.0.edge", "dt.0.edge", "user.slice"])
def test_names_of_others_are_left_alone(name, dead):
    assert not is_leftover(name.format(dead))


@pytest.mark.parametrize(("state", "alive"), [("S", True), ("R", True), ("Z", False)])
def test_a_process_that_ended_and_was_not_waited_for_is_dead(tmp_path, state, alive):
    folder = tmp_path / "12"
    folder.mkdir()
    (folder / "stat").write_text(f"12 (a) name) Z) {state} 1 12 12 0 -1")
    assert is_alive(12, tmp_path) is alive
    assert not is_alive(13, tmp_path)


def test_nodes_are_named_once_and_simply():
    check_node_names(["gateway", "edge-1", "edge_2"], 3)
    for nodes in ([], ["a", "b", "c", "d"], ["a", "a"], ["a b"], ["-a"], ["+hub"], ["../x"], [""]):
        with pytest.raises(ConfigurationError):
            check_node_names(nodes, 3)
