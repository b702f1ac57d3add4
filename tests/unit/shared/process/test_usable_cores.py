from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from shared.process import usable_cores as module
from shared.process.control_groups import find_groups
from shared.process.usable_cores import (
    ComputingCores,
    UsableCores,
    choose_cores,
    computing_cores,
    find_usable_cores,
    probe_cores,
    tightest_quota,
)

CPU, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")

V1_MOUNTS = """\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:7 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2_MOUNTS = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
HIDDEN_MOUNTS = "48 45 0:39 / /sys rw,relatime - sysfs edge-1 rw\n"

V1_OWN = "9:name=systemd:/\n4:memory:/m\n2:cpu,cpuacct:/home/edge\n3:cpuset:/\n0::/\n"
V2_OWN = "0::/system.slice/edge.service\n"


def files(contents):
    """Reads from these texts, by path."""
    return {str(path): text for path, text in contents.items()}.get


def reading(contents):
    read = files(contents)
    return lambda path: read(str(path))


def v1(*quotas):
    """The files of a group and its ancestors, own first; each with a quota in microseconds of 100 ms."""
    folders = [CPU.joinpath(*("home", "edge")[:depth]) for depth in range(len(quotas) - 1, -1, -1)]
    found = {}
    for folder, quota in zip(folders, quotas, strict=True):
        found |= {folder / "cgroup.procs": "", folder / "cpu.cfs_period_us": "100000\n"}
        found |= {folder / "cpu.cfs_quota_us": f"{quota}\n"} if quota else {}
    return found


def v2(*quotas):
    """The same in version 2; None: a group without the file."""
    folders = [V2.joinpath(*("system.slice", "edge.service")[:depth]) for depth in range(len(quotas) - 1, -1, -1)]
    found = {}
    for folder, quota in zip(folders, quotas, strict=True):
        found |= {folder / "cgroup.controllers": "cpu memory\n"}
        found |= {folder / "cpu.max": f"{quota}\n"} if quota else {}
    return found


def process(own, mounts, contents):
    return reading({Path("/proc/self/cgroup"): own, Path("/proc/self/mountinfo"): mounts, **contents})


def refused(_threads):
    raise AssertionError("a quota that can be read is not measured")


def test_the_group_of_version_1_is_found_with_its_ancestors():
    found = find_groups(V1_OWN, V1_MOUNTS, "cpu")
    assert (found.version, found.folders) == (1, (CPU / "home/edge", CPU / "home", CPU))


def test_the_group_of_version_2_is_found_with_its_ancestors():
    found = find_groups(V2_OWN, V2_MOUNTS, "cpu")
    assert (found.version, found.folders) == (2, (V2 / "system.slice/edge.service", V2 / "system.slice", V2))


def test_a_container_sees_its_own_group_at_the_mount_point():
    mounts = "50 40 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"
    assert find_groups("2:cpu:/docker/abc/inner\n", mounts, "cpu").folders == (CPU / "inner", CPU)


def test_spaces_in_a_mount_point_are_read():
    mounts = "30 24 0:26 / /sys/my\\040groups rw - cgroup2 cgroup2 rw\n"
    assert find_groups("0::/\n", mounts, "cpu").folders == (Path("/sys/my groups"),)


@pytest.mark.parametrize(
    ("own", "mounts"),
    [
        (V1_OWN, HIDDEN_MOUNTS),
        (V2_OWN, HIDDEN_MOUNTS),
        (V2_OWN, ""),
        (V1_OWN, V2_MOUNTS),  # the controller is one of version 1, whose hierarchy is not mounted here
        ("2:cpu:/docker/abc\n", "50 40 0:29 /docker/other /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n"),
        ("0::/../other\n", V2_MOUNTS),
    ],
)
def test_a_group_that_is_not_mounted_here_is_hidden(own, mounts):
    assert find_groups(own, mounts, "cpu") is None


def test_a_kernel_without_groups_has_no_quota():
    assert find_usable_cores(4, process("", V2_MOUNTS, {}), refused) == UsableCores(4)
    assert find_usable_cores(4, reading({Path("/proc/self/stat"): ""}), refused) == UsableCores(4)


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        ((20_000, -1, -1), 0.2),
        ((-1, 150_000, -1), 1.5),
        ((400_000, 150_000, None), 1.5),
        ((20_000, 150_000, None), 0.2),
        ((-1, -1, None), None),
        ((None, None, None), None),
    ],
)
def test_the_tightest_quota_of_version_1_counts(quotas, cores):
    assert tightest_quota(find_groups(V1_OWN, V1_MOUNTS, "cpu"), reading(v1(*quotas))) == (True, cores)


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        (("20000 100000", "max 100000", None), 0.2),
        (("max 100000", "5000 10000", None), 0.5),
        (("max 100000", "max 100000", None), None),
        ((None, "250000 100000", None), 2.5),
        (("max", None, None), None),
    ],
)
def test_the_tightest_quota_of_version_2_counts(quotas, cores):
    assert tightest_quota(find_groups(V2_OWN, V2_MOUNTS, "cpu"), reading(v2(*quotas))) == (True, cores)


@pytest.mark.parametrize("text", ["20000 0", "many 100000", "20000", "1 2 3"])
def test_a_quota_that_is_no_quota_is_not_known(text):
    assert tightest_quota(find_groups(V2_OWN, V2_MOUNTS, "cpu"), reading(v2(text, None, None))) == (False, None)


def test_a_folder_that_is_no_group_hides_the_quota():
    groups = find_groups(V2_OWN, V2_MOUNTS, "cpu")
    assert tightest_quota(groups, reading({})) == (False, None)
    assert tightest_quota(groups, reading(v2("max", "max"))) == (False, None)


@pytest.mark.parametrize("own", [V1_OWN, V2_OWN])
def test_a_hidden_quota_is_measured_with_as_many_threads_as_there_are_cores(own):
    asked = []

    def probe(threads):
        asked.append(threads)
        return 0.2

    found = find_usable_cores(4, process(own, HIDDEN_MOUNTS, {}), probe)
    assert (found, asked) == (UsableCores(4, 0.2, measured=True), [4])
    assert found.whole == 1


def test_a_hidden_quota_is_never_no_quota():
    unknown = find_usable_cores(4, process(V2_OWN, HIDDEN_MOUNTS, {}), None)
    assert not unknown.known
    assert choose_cores(unknown, 2, None).usable == 0


def test_one_core_needs_no_measurement():
    assert find_usable_cores(1, process(V2_OWN, HIDDEN_MOUNTS, {}), refused).whole == 1


@pytest.mark.parametrize(
    ("affinity", "quota", "measured", "whole"),
    [
        (4, None, False, 4),
        (4, 0.2, False, 1),
        (4, 1.99, False, 1),
        (4, 2.0, False, 2),
        (4, 3.5, False, 3),
        (2, 3.5, False, 2),
        (4, 1.96, True, 2),
        (4, 1.9, True, 1),
        (4, 3.99, True, 4),
    ],
)
def test_the_whole_cores_of_a_quota_are_used_and_at_least_one(affinity, quota, measured, whole):
    assert UsableCores(affinity, quota, measured).whole == whole


@pytest.mark.parametrize(
    ("threads", "max_cores", "count"),
    [(None, None, 4), (None, 3, 3), (None, 9, 4), (2, None, 2), (8, None, 8), (8, 3, 3)],
)
def test_a_person_may_choose_and_limit_the_cores(threads, max_cores, count):
    chosen = choose_cores(UsableCores(4), threads, max_cores)
    assert (chosen.count, chosen.usable, chosen.chosen) == (count, 4.0, threads is not None)


@pytest.mark.parametrize(
    ("count", "chosen", "cameras", "computing"),
    [(4, False, 0, 4), (4, False, 1, 3), (8, False, 5, 7), (3, False, 2, 3), (1, False, 9, 1), (4, True, 3, 4)],
)
def test_a_core_of_four_is_left_to_cameras(count, chosen, cameras, computing):
    assert ComputingCores(count, 4.0, chosen).beside_cameras(cameras) == computing


def test_more_threads_than_cores_are_warned_of(monkeypatch, caplog):
    monkeypatch.setattr(module, "usable_cores", lambda **_: UsableCores(4, 0.2))
    with caplog.at_level(logging.WARNING):
        assert computing_cores(2).count == 2
        assert computing_cores(None).count == 1
    assert [record.getMessage() for record in caplog.records] == [
        "2 computing threads share 0.2 cores, as --threads says; they wait for one another, and 1 would be faster"
    ]


def test_a_number_of_threads_is_not_measured_against_a_hidden_quota(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "usable_cores", lambda *, probing: asked.append(probing) or UsableCores(4, known=False))
    assert computing_cores(3) == ComputingCores(3, 0.0, chosen=True)
    computing_cores(None, 1)
    computing_cores(None, 2)
    assert asked == [False, False, True]


def test_a_probe_reads_the_time_of_all_its_threads():
    assert 0.0 < probe_cores(1, 0.02) <= 1.05
    assert probe_cores(2, 0.02) <= 2.1


@pytest.mark.skipif(sys.platform != "linux", reason="control groups and affinity are Linux's")
def test_this_machine_has_at_least_one_core():
    assert module.usable_cores(probing=False).whole >= 1
