"""The memory limit of a process by its control groups: a container's --memory, or MemoryMax= of a service.

A limit holds for a group and all groups within, so the lowest limit of a group and its ancestors counts. Where control
groups are hidden, it is not known whether there is a limit.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shared.process.control_groups import GroupFolders, find_groups, is_visible, read_text

if TYPE_CHECKING:
    from shared.process.control_groups import ReadFile

UNLIMITED_BYTES = 2**60
"""Limits from here on mean "no limit": version 1 writes the largest number of pages, and no device has an exabyte."""


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """The lowest limit in bytes, None without a limit, and the group that has it. `known`: all limits could be read."""

    known: bool
    limit: int | None = None
    group: str = ""


UNKNOWN_LIMIT = MemoryLimit(known=False)


def own_memory_limit() -> MemoryLimit:
    """Return the limit of this process."""
    if sys.platform != "linux":
        return UNKNOWN_LIMIT
    return find_memory_limit(read_text)


def service_memory_limit(unit: str) -> MemoryLimit:
    """Return the limit of a systemd service; a service that does not run has no limit."""
    return find_memory_limit(read_text, unit) if sys.platform == "linux" else UNKNOWN_LIMIT


def find_memory_limit(read: ReadFile, unit: str = "") -> MemoryLimit:
    """Return the limit of our own group or, if `unit` names a service, of the group of this service."""
    own, mounts = read(Path("/proc/self/cgroup")), read(Path("/proc/self/mountinfo")) or ""
    if own is None:
        proc_is_readable = read(Path("/proc/self/stat")) is not None
        # Then the kernel has no control groups, so there is no limit.
        return MemoryLimit(known=True) if proc_is_readable else UNKNOWN_LIMIT
    groups = find_groups(own, mounts, "memory")
    if groups is None:
        return UNKNOWN_LIMIT
    if unit:
        if not groups.folders:
            return MemoryLimit(known=True)
        service = groups.folders[-1] / "system.slice" / f"{unit}.service"
        if not is_visible(service, groups.version, read):
            return MemoryLimit(known=True)  # the service does not run
        groups = GroupFolders(groups.version, (service, service.parent, groups.folders[-1]))
    return tightest_limit(groups, read)


def tightest_limit(groups: GroupFolders, read: ReadFile) -> MemoryLimit:
    """Return the lowest limit of these groups."""
    limits = []
    for folder in groups.folders:
        if not is_visible(folder, groups.version, read):
            return UNKNOWN_LIMIT
        # In version 2, the topmost group and groups whose parents do not control memory have no such file.
        text = (read(folder / ("memory.max" if groups.version == 2 else "memory.limit_in_bytes")) or "max").strip()
        if text != "max":
            if not text.isdecimal():
                return UNKNOWN_LIMIT
            limits.append((int(text), str(folder)))
    limit, group = min(limits, default=(UNLIMITED_BYTES, ""))
    return MemoryLimit(known=True) if limit >= UNLIMITED_BYTES else MemoryLimit(known=True, limit=limit, group=group)
