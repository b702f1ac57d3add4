"""The memory that this process may still allocate: what is available on the machine and within its control groups.

A limit holds for a group and all groups within, so the group with the least free memory counts. Where control groups
are hidden, as in `ip netns exec`, only the machine's memory is known.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from shared.process.control_groups import find_groups, read_text
from shared.process.memory_limit import UNLIMITED_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.process.control_groups import GroupFolders, ReadFile

RUNTIME_BYTES = 40 * 2**20
"""The memory of an engine besides maps and weights. Measured: 15 MiB for onnxruntime, without the pages of its files,
and 17 to 23 MiB for its buffers, with YOLOv2's first 16 layers whole and in nine tiles."""

_FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}
_CACHES = {1: ("total_inactive_file", "total_active_file"), 2: ("inactive_file", "active_file")}


def free_in_groups(groups: GroupFolders, read: ReadFile) -> int | None:
    """Return the bytes that are free within the limits of our groups, at least 0; None without a limit.

    Cached pages of files count as free, because the kernel drops them when memory is short.
    """
    limit_file, usage_file = _FILES[groups.version]
    free = []
    for folder in groups.folders:
        limit, used = _number(read(folder / limit_file)), _number(read(folder / usage_file))
        if limit is None or used is None or limit >= UNLIMITED_BYTES:
            continue  # the topmost group and groups whose parents do not control memory have no such files
        kept = _fields(read(folder / "memory.stat") or "")
        caches = sum(kept.get(name, 0) for name in _CACHES[groups.version])
        free.append(max(0, limit - max(0, used - caches)))
    return min(free, default=None)


def own_memory_groups(read: ReadFile = read_text) -> GroupFolders | None:
    """Return the folders of our control group and its ancestors; None where there are none, or they are hidden."""
    own, mounts = read(Path("/proc/self/cgroup")), read(Path("/proc/self/mountinfo"))
    return find_groups(own, mounts or "", "memory") if own is not None else None


def free_memory(read: ReadFile = read_text) -> int | None:
    """Return the bytes that this process may still allocate; None if this is not known."""
    return _free_memory(own_memory_groups(read), read)


def _free_memory(groups: GroupFolders | None, read: ReadFile) -> int | None:
    available = _fields(read(Path("/proc/meminfo")) or "").get("MemAvailable:")
    in_groups = free_in_groups(groups, read) if groups is not None else None
    known = [size for size in (None if available is None else 1024 * available, in_groups) if size is not None]
    return min(known, default=None)


class MemoryForPlans:
    """The memory that plans may use: the free memory, and the memory that plans already use.

    The latter is what this process has allocated since this object was made, so make it before the first engine is
    opened. The result never exceeds `limit_bytes`, which a user may set.
    """

    def __init__(self, limit_bytes: int | None = None, read: ReadFile = read_text) -> None:
        self._limit_bytes = limit_bytes
        self._read = read
        self._groups = own_memory_groups(read)  # once: the list of mounts may be long
        self._begun_with = self._own_bytes()

    @property
    def bytes(self) -> int:
        """Return the bytes that all plans together may use, the prepared ones included; 0 if this is not known."""
        free = _free_memory(self._groups, self._read)
        if free is None:
            return self._limit_bytes or 0
        usable = max(1, free + max(0, self._own_bytes() - self._begun_with) - RUNTIME_BYTES)
        return usable if self._limit_bytes is None else min(usable, self._limit_bytes)

    def _own_bytes(self) -> int:
        """Return the resident memory of this process without pages of files, in bytes."""
        return 1024 * _fields(self._read(Path("/proc/self/status")) or "").get("RssAnon:", 0)


def _fields(text: str) -> Mapping[str, int]:
    """Return the first number of each line by its first word."""
    words = (line.split() for line in text.splitlines())
    return {found[0]: int(found[1]) for found in words if len(found) > 1 and found[1].isdecimal()}


def _number(text: str | None) -> int | None:
    stripped = (text or "").strip()
    return int(stripped) if stripped.isdecimal() else None
