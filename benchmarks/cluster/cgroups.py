"""Finds this machine's control groups, version 1 or 2, and computes the values to write to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster.commands import EmulationError

QUOTA_PERIOD_US = 10_000
"""Period in which a group gets its CPU time. The kernel's default is ten times as long.

A group that has used up its time pauses until the period ends. With a fifth of a core that is 8 ms, instead of 80.
"""

MIN_QUOTA_US = 1_000
"""The kernel refuses a smaller CPU time in a period."""

MAX_QUOTA_PERIOD_US = 1_000_000
"""The kernel refuses a longer period."""

MIN_CORES = MIN_QUOTA_US / MAX_QUOTA_PERIOD_US
"""The smallest CPU limit, in cores, that the kernel's two bounds allow."""

VERSION_1_CONTROLLERS = ("cpu", "cpuacct", "memory")
"""The controllers that limit CPU, count CPU time and limit memory; in version 1 each can have its own hierarchy."""

GroupValues = tuple[tuple[str, str], ...]
"""Pairs of a file in the group's folder and the text to write to it, in the order of writing."""


@dataclass(frozen=True, slots=True)
class Controllers:
    """The folders in which groups are created: one in each hierarchy in version 1, a single one in version 2.

    `usage`: where CPU time is counted; `tops`: the top folders of the hierarchies that may contain our groups.
    """

    version: int
    cpu: Path
    usage: Path
    memory: Path
    tops: tuple[Path, ...]

    def folders(self) -> tuple[Path, ...]:
        """Return each folder once."""
        return tuple(dict.fromkeys((self.cpu, self.usage, self.memory)))


def find_controllers(mounts: str, own_groups: str) -> Controllers:
    """Read /proc/mounts and /proc/self/cgroup. Raises EmulationError when CPU or memory cannot be limited.

    In version 2 groups are created at the top, because a group with processes cannot contain groups. In version 1
    they are created inside our own group, so that its limits hold for them too.
    """
    fields = [line.split() for line in mounts.splitlines() if len(line.split()) >= 4]
    unified = [Path(folder) for _, folder, kind, *_ in fields if kind == "cgroup2"]
    for top in unified:
        if {"cpu", "memory"} <= controllers_of(top):
            return Controllers(2, top, top, top, (top,))
    tops = {
        option: Path(folder)
        for _, folder, kind, options, *_ in fields
        if kind == "cgroup"
        for option in options.split(",")
    }
    missing = set(VERSION_1_CONTROLLERS) - tops.keys()
    if missing:
        unmanaged = {"cpu", "memory"}.difference(*map(controllers_of, unified))
        raise EmulationError(
            f"the kernel cannot limit {' and '.join(sorted(unmanaged or missing))};"
            " on a Raspberry Pi, add cgroup_enable=memory to /boot/firmware/cmdline.txt and restart"
        )
    own = _own_groups(own_groups)
    used = tuple(tops[controller] for controller in VERSION_1_CONTROLLERS)
    cpu, usage, memory = (_within(tops[controller], own.get(controller, "")) for controller in VERSION_1_CONTROLLERS)
    return Controllers(1, cpu, usage, memory, tuple(dict.fromkeys(used)))


def controllers_of(group: Path) -> set[str]:
    """Return the controllers of a version 2 group, which can be enabled for the groups inside it."""
    try:
        return set((group / "cgroup.controllers").read_text(encoding="ascii").split())
    except OSError:
        return set()


def cpu_quota(cores: float) -> tuple[int, int]:
    """Return the CPU time in each period, and the period, both in microseconds.

    For a very small number of cores, the period is longer, so that the CPU time is not below the kernel's bound.
    """
    period_us = min(max(QUOTA_PERIOD_US, round(MIN_QUOTA_US / cores)), MAX_QUOTA_PERIOD_US)
    return max(MIN_QUOTA_US, round(cores * period_us)), period_us


def cpu_values(version: int, cores: float | None) -> GroupValues:
    """Return the values that set a CPU limit; with `cores` None, those that remove it."""
    amount_us, period_us = cpu_quota(cores) if cores is not None else (0, QUOTA_PERIOD_US)
    if version == 2:
        return (("cpu.max", f"{amount_us or 'max'} {period_us}"),)
    # Remove the old quota first: the kernel refuses a period that is too short for it.
    values = (("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", str(period_us)))
    return (*values, ("cpu.cfs_quota_us", str(amount_us))) if amount_us else values


def memory_values(version: int, limit_bytes: int) -> GroupValues:
    """Return the values that limit memory, and then memory and swap. A kernel without swap lacks the second file."""
    if version == 2:
        return (("memory.max", str(limit_bytes)), ("memory.swap.max", "0"))
    return (("memory.limit_in_bytes", str(limit_bytes)), ("memory.memsw.limit_in_bytes", str(limit_bytes)))


def _own_groups(text: str) -> dict[str, str]:
    lines = [line.split(":", 2) for line in text.splitlines()]
    return {controller: path.strip("/") for _, names, path in lines for controller in names.split(",")}


def _within(top: Path, own: str) -> Path:
    """Return the folder of our own group, or the top folder if there is none.

    In a container, /proc may show the path that the group has on the host, which does not exist in the container.
    """
    return top / own if (top / own).is_dir() else top
