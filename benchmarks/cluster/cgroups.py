"""Finds this machine's control groups, version 1 or 2, and computes the values to write to them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster.commands import EmulationError

QUOTA_PERIOD_US = 10_000  # so that a node with a fifth of a core pauses for 8 ms, not for the usual 80
MIN_QUOTA_US = 1_000  # the kernel's own bounds
MAX_QUOTA_PERIOD_US = 1_000_000
MIN_CORES = MIN_QUOTA_US / MAX_QUOTA_PERIOD_US

VERSION_1_CONTROLLERS = ("cpu", "cpuacct", "memory")

GroupValues = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Controllers:
    """The folders in which groups are created: one of each hierarchy in version 1, a single one in version 2."""

    version: int
    cpu: Path
    usage: Path
    memory: Path
    tops: tuple[Path, ...]  # of the hierarchies that may contain our groups

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
    """Return the CPU time in a period, and the period, in microseconds; very small shares need a longer period."""
    period_us = min(max(QUOTA_PERIOD_US, round(MIN_QUOTA_US / cores)), MAX_QUOTA_PERIOD_US)
    return max(MIN_QUOTA_US, round(cores * period_us)), period_us


def cpu_values(version: int, cores: float | None) -> GroupValues:
    """Return the files of a group and the values to write, in this order. None removes the limit."""
    amount_us, period_us = cpu_quota(cores) if cores is not None else (0, QUOTA_PERIOD_US)
    if version == 2:
        return (("cpu.max", f"{amount_us or 'max'} {period_us}"),)
    # Remove the old quota first: the kernel refuses a period that is too short for it.
    values = (("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", str(period_us)))
    return (*values, ("cpu.cfs_quota_us", str(amount_us))) if amount_us else values


def memory_values(version: int, limit_bytes: int) -> GroupValues:
    """Return the files of a group and the values to write, in this order; a kernel without swap lacks the second."""
    if version == 2:
        return (("memory.max", str(limit_bytes)), ("memory.swap.max", "0"))
    return (("memory.limit_in_bytes", str(limit_bytes)), ("memory.memsw.limit_in_bytes", str(limit_bytes)))


def _own_groups(text: str) -> dict[str, str]:
    lines = [line.split(":", 2) for line in text.splitlines()]
    return {controller: path.strip("/") for _, names, path in lines for controller in names.split(",")}


def _within(top: Path, own: str) -> Path:
    """Return our own group's folder, or the top: in a container the path may be the host's, and not exist here."""
    return top / own if (top / own).is_dir() else top
