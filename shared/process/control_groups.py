"""The folders of this process's control groups, of version 1 or 2, for one controller (cpu or memory). Pure.

Control groups may be hidden: `ip netns exec` mounts another /sys, and a container may do so, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ReadFile = Callable[[Path], str | None]
"""Returns the text of a file, None when it cannot be read."""


@dataclass(frozen=True, slots=True)
class GroupFolders:
    """The folders of our own control group and its visible ancestors, own first, for one controller."""

    version: int
    folders: tuple[Path, ...]


def find_groups(own_groups: str, mounts: str, controller: str) -> GroupFolders | None:
    """Return the folders of our group and its ancestors, from the texts of /proc/self/cgroup and /proc/self/mountinfo.

    `controller` is the resource that they limit: cpu or memory. Return None when this process is in a group whose
    folder is not visible here.
    """
    rows = [line.split(":", 2) for line in own_groups.splitlines() if line.count(":") >= 2]
    first = next((path for _, names, path in rows if controller in names.split(",")), None)
    version, own = (1, first) if first is not None else (2, next((path for _, names, path in rows if not names), None))
    if own is None:
        return GroupFolders(2, ())
    for root, folder, kind, options in reversed([_mount(line) for line in mounts.splitlines() if " - " in line]):
        wanted = kind == "cgroup2" if version == 2 else kind == "cgroup" and controller in options
        if wanted and (below := _below(own, root)) is not None:
            parts = PurePosixPath(below).parts
            return GroupFolders(version, tuple(Path(folder, *parts[:depth]) for depth in range(len(parts), -1, -1)))
    return None


def is_visible(folder: Path, version: int, read: ReadFile) -> bool:
    """Return whether a folder is that of a control group; another file system may be mounted over it."""
    return read(folder / ("cgroup.procs" if version == 1 else "cgroup.controllers")) is not None


def read_text(path: Path) -> str | None:
    """Return the text of a file, None when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _mount(line: str) -> tuple[str, str, str, list[str]]:
    """Return the root, folder, kind and options of a mount, from a line of proc_pid_mountinfo(5)."""
    left, _, right = line.partition(" - ")
    _, _, _, root, folder, *_ = left.split(" ")
    kind, _, options = (*right.split(" "), "", "")[:3]
    return _unescaped(root), _unescaped(folder), kind, options.split(",")


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _below(own: str, root: str) -> str | None:
    """Return the path of our group below the root of a mount; None when it is not below it."""
    if "/.." in own or "/.." in root:  # the group is outside of this namespace
        return None
    path, top = PurePosixPath(own), PurePosixPath(root)
    return str(path.relative_to(top)) if path.is_relative_to(top) else None
