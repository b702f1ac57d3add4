from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shared.process.usable_memory import RUNTIME_BYTES, MemoryForPlans, free_memory

MIB = 2**20
MEMINFO = "MemTotal:  1000000 kB\nMemFree:  10 kB\nMemAvailable:  819200 kB\n"  # 800 MiB
V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")

OWN = {1: "4:memory:/home/edge\n2:cpu:/\n0::/\n", 2: "0::/home/edge\n"}
MOUNTS = {
    1: "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
    2: "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
}


def group(version, depth, limit, used, cache=0):
    """The files of a group of memory: of ours (depth 2), its parent or the topmost one."""
    if version == 1:
        folder = V1.joinpath(*("home", "edge")[:depth])
        stat = f"cache 99\ntotal_inactive_file {cache // 2}\ntotal_active_file {cache - cache // 2}\n"
        files = {"memory.limit_in_bytes": f"{2**63 - 4096 if limit is None else limit}\n"}
        files |= {"memory.usage_in_bytes": f"{used}\n", "memory.stat": stat}
    else:
        folder = V2.joinpath(*("home", "edge")[:depth])
        stat = f"anon 99\nfile 99\ninactive_file {cache // 2}\nactive_file {cache - cache // 2}\n"
        files = {"memory.max": f"{'max' if limit is None else limit}\n"}
        files |= {"memory.current": f"{used}\n", "memory.stat": stat}
    return {folder / name: text for name, text in files.items()}


def machine(version, *groups, own_kb=0):
    files = {
        Path("/proc/meminfo"): MEMINFO,
        Path("/proc/self/cgroup"): OWN[version],
        Path("/proc/self/mountinfo"): MOUNTS[version],
        Path("/proc/self/status"): f"Name:\tedge\nVmRSS:\t99 kB\nRssAnon:\t{own_kb} kB\n",
    }
    for files_of_group in groups:
        files |= files_of_group
    return files


@pytest.mark.parametrize("version", [1, 2])
def test_the_tightest_limit_counts_and_pages_of_files_are_free(version):
    ours = group(version, 2, 300 * MIB, 250 * MIB, cache=150 * MIB)  # leaves 200 MiB
    above = group(version, 1, 150 * MIB, 50 * MIB)  # leaves 100 MiB
    assert free_memory(machine(version, ours).get) == 200 * MIB
    assert free_memory(machine(version, ours, above).get) == 100 * MIB


@pytest.mark.parametrize("version", [1, 2])
def test_without_a_limit_it_is_what_the_machine_has_available(version):
    assert free_memory(machine(version, group(version, 2, None, 250 * MIB)).get) == 800 * MIB
    assert free_memory(machine(version, group(version, 2, 2**32, 250 * MIB)).get) == 800 * MIB


@pytest.mark.parametrize("version", [1, 2])
def test_a_group_that_uses_more_than_its_limit_leaves_nothing(version):
    assert free_memory(machine(version, group(version, 2, 100 * MIB, 120 * MIB)).get) == 0


def test_where_control_groups_are_hidden_the_machine_counts():
    files = machine(2, group(2, 2, 100 * MIB, 0)) | {
        Path("/proc/self/mountinfo"): "48 45 0:39 / /sys rw - sysfs x rw\n"
    }
    assert free_memory(files.get) == 800 * MIB


def test_a_system_that_tells_nothing_is_not_known():
    assert free_memory(lambda _: None) is None
    assert MemoryForPlans(read=lambda _: None).bytes == 0
    assert MemoryForPlans(64 * MIB, read=lambda _: None).bytes == 64 * MIB


def test_what_plans_have_taken_already_is_for_plans():
    files = machine(2, group(2, 2, 300 * MIB, 100 * MIB), own_kb=50 * 1024)
    memory = MemoryForPlans(read=files.get)
    before = memory.bytes
    assert before == 200 * MIB - RUNTIME_BYTES
    files |= machine(2, group(2, 2, 300 * MIB, 180 * MIB), own_kb=130 * 1024)
    assert memory.bytes == before
    files |= group(2, 2, 300 * MIB, 200 * MIB)  # another program of the group
    assert memory.bytes == before - 20 * MIB


def test_a_limit_that_was_stated_is_never_exceeded():
    files = machine(2, group(2, 2, 300 * MIB, 100 * MIB))
    assert MemoryForPlans(64 * MIB, files.get).bytes == 64 * MIB
    assert MemoryForPlans(2**40, files.get).bytes == 200 * MIB - RUNTIME_BYTES


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
def test_the_memory_of_this_machine_is_known():
    free = free_memory()
    assert free is not None
    assert free > 10**6
