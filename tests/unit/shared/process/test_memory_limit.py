from __future__ import annotations

import pytest

from shared.process.memory_limit import MemoryLimit, find_memory_limit

V2 = "30 25 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"
V1 = (
    "31 25 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "32 25 0:28 / /sys/fs/cgroup/cpu rw - cgroup c rw,cpu\n"
)
TOP = "/sys/fs/cgroup"
UNLIMITED = "9223372036854771712\n"


def reading(own, mounts, **files):
    """A machine with these files, and no others."""
    known = {"/proc/self/cgroup": own, "/proc/self/mountinfo": mounts, "/proc/self/stat": "1", **files}
    return lambda path: known.get(str(path))


def groups(*folders):
    """The top and these groups, of version 2."""
    return {f"{folder}/cgroup.controllers": "memory cpu" for folder in (TOP, *folders)}


def test_the_tightest_limit_of_a_group_and_those_above_it_counts():
    folders = f"{TOP}/system.slice", f"{TOP}/system.slice/deepthings-edge.service"
    files = groups(*folders) | {f"{folders[0]}/memory.max": "200000000\n", f"{folders[1]}/memory.max": "max\n"}
    read = reading("0::/system.slice/deepthings-edge.service\n", V2, **files)
    assert find_memory_limit(read) == MemoryLimit(known=True, limit=200_000_000, group=folders[0])


def test_version_1_writes_a_huge_number_for_none():
    own = "4:memory:/docker/1f\n1:cpu:/\n"
    folders = f"{TOP}/memory", f"{TOP}/memory/docker", f"{TOP}/memory/docker/1f"
    files = {f"{folder}/cgroup.procs": "" for folder in folders}
    files |= {f"{folder}/memory.limit_in_bytes": UNLIMITED for folder in folders}
    assert find_memory_limit(reading(own, V1, **files)) == MemoryLimit(known=True)
    files[f"{folders[2]}/memory.limit_in_bytes"] = "67108864\n"
    assert find_memory_limit(reading(own, V1, **files)) == MemoryLimit(known=True, limit=2**26, group=folders[2])


@pytest.mark.parametrize(
    ("own", "mounts", "files"),
    [
        ("0::/user.slice\n", "", {}),  # /sys is not mounted
        ("0::/../other\n", V2, groups()),  # of another namespace
        ("0::/\n", V2, {}),  # something else is mounted over it
        ("0::/\n", V2, groups() | {f"{TOP}/memory.max": "?\n"}),
        (None, "", {"/proc/self/stat": None}),  # /proc is hidden as well
    ],
)
def test_where_groups_are_hidden_no_limit_is_not_concluded(own, mounts, files):
    assert find_memory_limit(reading(own, mounts, **files)) == MemoryLimit(known=False)


def test_a_container_sees_its_own_limit_at_the_top():
    read = reading("0::/\n", V2, **groups(), **{f"{TOP}/memory.max": "134217728\n"})
    assert find_memory_limit(read) == MemoryLimit(known=True, limit=2**27, group=TOP)


def test_a_kernel_without_control_groups_limits_nothing():
    assert find_memory_limit(reading(None, "")) == MemoryLimit(known=True)


def test_the_limit_of_a_service_is_found_from_a_shell():
    service = f"{TOP}/system.slice/deepthings-edge.service"
    files = groups(f"{TOP}/user.slice", f"{TOP}/system.slice", service) | {f"{service}/memory.max": "100000000\n"}
    read = reading("0::/user.slice\n", V2, **files)
    assert find_memory_limit(read) == MemoryLimit(known=True)
    assert find_memory_limit(read, "deepthings-edge").limit == 100_000_000
    assert find_memory_limit(read, "deepthings-gateway") == MemoryLimit(known=True), "it does not run"
