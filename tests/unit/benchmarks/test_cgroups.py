from __future__ import annotations

import pytest

from benchmarks.cluster.cgroups import Controllers, cpu_quota, cpu_values, find_controllers, memory_values
from benchmarks.cluster.commands import EmulationError


def unified(folder, controllers):
    """A hierarchy of version 2 in `folder`, and its line in /proc/mounts."""
    folder.mkdir(parents=True)
    (folder / "cgroup.controllers").write_text(f"{controllers}\n")
    return f"cgroup2 {folder} cgroup2 rw,nosuid,relatime,nsdelegate 0 0\n"


def separate(tmp_path, *names):
    """Hierarchies of version 1, and their lines in /proc/mounts."""
    return "".join(f"cgroup {tmp_path / name} cgroup rw,relatime,{name} 0 0\n" for name in names)


def test_version_2_has_one_folder_for_everything(tmp_path):
    mounts = "sysfs /sys sysfs rw 0 0\n" + unified(tmp_path / "all", "cpuset cpu io memory pids")
    top = tmp_path / "all"
    controllers = find_controllers(mounts, "0::/user.slice/session-1.scope\n")
    assert controllers == Controllers(2, top, top, top, (top,))
    assert controllers.folders() == (top,)


def test_version_1_has_a_folder_for_each(tmp_path):
    mounts = separate(tmp_path, "cpu", "cpuacct", "memory", "freezer")
    cpu, usage, memory = (tmp_path / name for name in ("cpu", "cpuacct", "memory"))
    assert find_controllers(mounts, "") == Controllers(1, cpu, usage, memory, (cpu, usage, memory))


def test_version_1_may_count_and_limit_cpu_in_one_folder(tmp_path):
    mounts = separate(tmp_path, "cpu,cpuacct", "memory")
    controllers = find_controllers(mounts, "")
    assert controllers.folders() == controllers.tops == (tmp_path / "cpu,cpuacct", tmp_path / "memory")


def test_version_1_groups_are_made_within_our_own_where_that_is_to_be_seen(tmp_path):
    (tmp_path / "memory" / "jobs" / "7").mkdir(parents=True)
    mounts = separate(tmp_path, "cpu", "cpuacct", "memory")
    controllers = find_controllers(mounts, "4:memory:/jobs/7\n2:cpu,cpuacct:/docker/abc\n0::/\n")
    assert controllers.memory == tmp_path / "memory" / "jobs" / "7"
    assert (controllers.cpu, controllers.usage) == (tmp_path / "cpu", tmp_path / "cpuacct")
    assert tmp_path / "memory" in controllers.tops


def test_version_1_is_used_when_version_2_controls_something_else(tmp_path):
    mounts = unified(tmp_path / "all", "hugetlb") + separate(tmp_path, "cpu", "cpuacct", "memory")
    assert find_controllers(mounts, "0::/\n").version == 1


def test_a_kernel_told_not_to_limit_memory_is_named_with_the_cure(tmp_path):
    with pytest.raises(EmulationError, match="cannot limit memory; on a Raspberry Pi, add cgroup_enable=memory"):
        find_controllers(unified(tmp_path / "all", "cpuset cpu io pids"), "0::/\n")


def test_a_machine_without_control_groups_is_refused():
    with pytest.raises(EmulationError, match="cannot limit cpu and memory"):
        find_controllers("sysfs /sys sysfs rw 0 0\n", "")


@pytest.mark.parametrize("cores", [0.001, 0.02, 0.05, 0.1, 0.2, 0.4, 1, 2.5])
def test_a_quota_is_its_share_of_a_short_period(cores):
    amount_us, period_us = cpu_quota(cores)
    assert amount_us / period_us == pytest.approx(cores)
    assert amount_us >= 1000
    assert period_us == 10_000 or (cores < 0.1 and amount_us == 1000)


def test_a_limit_of_cpu_in_both_versions():
    assert cpu_values(2, 0.2) == (("cpu.max", "2000 10000"),)
    assert cpu_values(2, None) == (("cpu.max", "max 10000"),)
    lifted = (("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", "10000"))
    assert cpu_values(1, None) == lifted
    assert cpu_values(1, 0.2) == (*lifted, ("cpu.cfs_quota_us", "2000"))


def test_a_limit_of_memory_allows_no_swap():
    assert dict(memory_values(2, 4096)) == {"memory.max": "4096", "memory.swap.max": "0"}
    assert dict(memory_values(1, 4096)) == {"memory.limit_in_bytes": "4096", "memory.memsw.limit_in_bytes": "4096"}
