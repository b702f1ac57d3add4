"""Where this machine keeps its control groups, and the values they understand, in both versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster.commands import EmulationError

QUOTA_PERIOD_US = 10_000  # a node with a fifth of a core pauses for 8 ms, not for the usual 80
MIN_QUOTA_US = 1_000  # the kernel's own bounds
MAX_QUOTA_PERIOD_US = 1_000_000
MIN_CORES = MIN_QUOTA_US / MAX_QUOTA_PERIOD_US

VERSION_1_CONTROLLERS = ("cpu", "cpuacct", "memory")

GroupValues = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Controllers:
    """The folders in which groups are made: those of hierarchies in version 1, the same one in version 2."""

    version: int
    cpu: Path
    usage: Path
    memory: Path
    tops: tuple[Path, ...]  # of the hierarchies, within which groups of ours may be

    def folders(self) -> tuple[Path, ...]:
        """Each folder once."""
        return tuple(dict.fromkeys((self.cpu, self.usage, self.memory)))


def find_controllers(mounts: str, own_groups: str) -> Controllers:
    """Read /proc/mounts and /proc/self/cgroup. Raises EmulationError when CPU or memory cannot be limited.

    In version 2 groups are made at the top, because a group that holds processes cannot hold groups. In version 1
    they are made within our own, so that what limits us limits them too.
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
            f"the kernel limits no {' and no '.join(sorted(unmanaged or missing))};"
            " on a Raspberry Pi, add cgroup_enable=memory to /boot/firmware/cmdline.txt and restart"
        )
    own = _own_groups(own_groups)
    used = tuple(tops[controller] for controller in VERSION_1_CONTROLLERS)
    cpu, usage, memory = (_within(tops[controller], own.get(controller, "")) for controller in VERSION_1_CONTROLLERS)
    return Controllers(1, cpu, usage, memory, tuple(dict.fromkeys(used)))


def controllers_of(group: Path) -> set[str]:
    """What can be limited in a group of version 2 and, once it is enabled there, in groups inside."""
    try:
        return set((group / "cgroup.controllers").read_text(encoding="ascii").split())
    except OSError:
        return set()


def cpu_quota(cores: float) -> tuple[int, int]:
    """Microseconds of CPU in a period, and the period: short, unless so small a share needs a longer one."""
    period_us = min(max(QUOTA_PERIOD_US, round(MIN_QUOTA_US / cores)), MAX_QUOTA_PERIOD_US)
    return max(MIN_QUOTA_US, round(cores * period_us)), period_us


def cpu_values(version: int, cores: float | None) -> GroupValues:
    """Files of a group and what to write to them, in this order. None lifts the limit."""
    amount_us, period_us = cpu_quota(cores) if cores is not None else (0, QUOTA_PERIOD_US)
    if version == 2:
        return (("cpu.max", f"{amount_us or 'max'} {period_us}"),)
    # Lifted first: the kernel refuses a period in which the old quota would be too much.
    values = (("cpu.cfs_quota_us", "-1"), ("cpu.cfs_period_us", str(period_us)))
    return (*values, ("cpu.cfs_quota_us", str(amount_us))) if amount_us else values


def memory_values(version: int, limit_bytes: int) -> GroupValues:
    """Files of a group and what to write to them, in this order; without swap there is none about it."""
    if version == 2:
        return (("memory.max", str(limit_bytes)), ("memory.swap.max", "0"))
    return (("memory.limit_in_bytes", str(limit_bytes)), ("memory.memsw.limit_in_bytes", str(limit_bytes)))


def _own_groups(text: str) -> dict[str, str]:
    lines = [line.split(":", 2) for line in text.splitlines()]
    return {controller: path.strip("/") for _, names, path in lines for controller in names.split(",")}


def _within(top: Path, own: str) -> Path:
    """Our own group; in a container its path may be the host's, and mean nothing here."""
    return top / own if (top / own).is_dir() else top
