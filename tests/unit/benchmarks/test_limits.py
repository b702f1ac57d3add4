"""Control groups in a folder that only looks like the kernel's; the real ones are in tests/cluster."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.cluster import limits
from benchmarks.cluster.cgroups import Controllers
from benchmarks.cluster.commands import EmulationError
from benchmarks.cluster.limits import ControlGroup, NodeLimits
from shared.errors import ConfigurationError


@pytest.fixture
def top(tmp_path, monkeypatch):
    """A hierarchy of version 2 in which removing a group removes the kernel's files in it."""
    monkeypatch.setattr(
        limits, "find_controllers", lambda *_: Controllers(2, tmp_path, tmp_path, tmp_path, (tmp_path,))
    )
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)
    return tmp_path


def test_a_group_of_version_2_is_limited_when_it_is_entered_and_gone_afterwards(top):
    with ControlGroup("edge-1", NodeLimits(cpu=0.2, memory_mb=64)):
        (folder,) = (path for path in top.iterdir() if path.is_dir())
        assert (top / "cgroup.subtree_control").read_text() == "+cpu +memory"
        assert (folder / "cpu.max").read_text() == "2000 10000"
        assert (folder / "memory.max").read_text() == str(64 * 2**20)
        assert not (folder / "memory.swap.max").exists()
    assert not folder.exists()


def test_cpu_can_be_lifted_and_limited_again(top):
    with ControlGroup("edge-1", NodeLimits(cpu=0.2)) as group:
        (file,) = top.glob("*/cpu.max")
        group.set_cpu(None)
        assert file.read_text() == "max 10000"
        group.set_cpu(0.05)
        assert file.read_text() == "1000 20000"
        assert not list(top.glob("*/memory.max"))


def test_use_is_read_in_seconds_and_bytes(top):
    with ControlGroup("edge-1", NodeLimits(cpu=0.2)) as group:
        (folder,) = (path for path in top.iterdir() if path.is_dir())
        (folder / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1000000\nsystem_usec 500000\n")
        (folder / "memory.peak").write_text("73400320\n")
        assert group.cpu_seconds() == 1.5
        assert group.peak_memory_bytes() == 70 * 2**20


def test_a_command_joins_the_group_and_becomes_the_program_that_it_starts(top):
    with ControlGroup("edge-1", NodeLimits(cpu=0.2)) as group:
        (folder,) = (path for path in top.iterdir() if path.is_dir())
        prefix = group.command()
        pid = os.posix_spawnp(prefix[0], [*prefix, "sh", "-c", "exit 7"], os.environ)
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 7
        assert (folder / "cgroup.procs").read_text() == f"{pid}\n"
        (folder / "cgroup.procs").write_text("")


def test_a_kernel_that_refuses_is_quoted_and_nothing_is_left(top):
    (top / "cgroup.subtree_control").mkdir()
    with pytest.raises(EmulationError, match=r"\+cpu \+memory cannot be written to .*: it is a folder"):
        ControlGroup("edge-1", NodeLimits(cpu=0.2)).__enter__()
    assert [path.name for path in top.iterdir()] == ["cgroup.subtree_control"]


def test_limits_that_cannot_be_are_refused():
    for cpu, memory_mb in ((0, 64), (-1, 64), (0.2, 0), (0.2, 1), (float("nan"), 64)):
        with pytest.raises(ConfigurationError):
            NodeLimits(cpu, memory_mb)


def test_without_root_the_reason_is_told(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert limits.limits_unavailable_reason() == "limiting CPU and memory needs root"
