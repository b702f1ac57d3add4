"""Removes networks and control groups with the processes in them, also those that dead processes left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cluster.commands import EmulationError, run_tool
from benchmarks.cluster.owned_names import is_leftover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_END_TIMEOUT_S = 5.0
"""Waiting time for the end of killed processes: one that writes to disk may need seconds."""

_POLL_PERIOD_S = 0.01
"""Time between two looks at whether processes have ended."""


def list_namespaces() -> list[str]:
    """Return the named network namespaces."""
    return [line.split()[0] for line in run_tool("ip", "netns", "list").splitlines() if line.strip()]


def remove_namespace(name: str) -> None:
    """Remove a namespace with its links, and kill its processes. Raises EmulationError."""
    _kill_all(lambda: map(int, run_tool("ip", "netns", "pids", name).split()), f"the namespace {name}")
    run_tool("ip", "netns", "delete", name)


def remove_groups(folders: Sequence[Path]) -> None:
    """Remove the groups that exist, and kill their processes. Raises EmulationError."""
    _kill_all(lambda: _members(folders), f"the control group {folders[0]}")
    for folder in folders:
        _retry(partial(_is_removed, folder), f"the control group {folder} could not be removed")


def remove_leftover_networks() -> None:
    """Remove namespaces that dead processes left behind, and the links to these namespaces.

    Raises EmulationError when they cannot be listed.
    """
    for link in json.loads(run_tool("ip", "-j", "link")):
        if is_leftover(link["ifname"]):
            with suppress(EmulationError):  # another process may be removing it too
                run_tool("ip", "link", "delete", link["ifname"])
    for name in filter(is_leftover, list_namespaces()):
        with suppress(EmulationError):  # another process may be removing it too
            remove_namespace(name)


def remove_leftover_groups(tops: Iterable[Path]) -> None:
    """Remove groups that dead processes left behind, anywhere in these hierarchies."""
    left = [
        Path(folder, name) for top in tops for folder, names, _ in os.walk(top) for name in filter(is_leftover, names)
    ]
    for folder in left:
        with suppress(EmulationError):  # another process may be removing it too
            remove_groups([folder])


def _kill_all(pids: Callable[[], Iterable[int]], group: str) -> None:
    """Kill processes, except this one, until `pids()` is empty."""

    def none_left() -> bool:
        others = [pid for pid in pids() if pid not in {0, os.getpid()}]  # 0: a process of another container
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not others

    _retry(none_left, f"the processes in {group} did not end")


def _members(folders: Iterable[Path]) -> Iterator[int]:
    for folder in folders:
        with suppress(OSError):  # the folder has been removed, or a process ended while the list was read
            yield from map(int, (folder / "cgroup.procs").read_text(encoding="ascii").split())


def _is_removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # the kernel has not finished ending its processes
        return False
    return True


def _retry(attempt: Callable[[], bool], failure: str) -> None:
    """Repeat an attempt until it returns True. Raises EmulationError, with `failure`, after _END_TIMEOUT_S."""
    end = time.monotonic() + _END_TIMEOUT_S
    while not attempt():
        if time.monotonic() > end:
            raise EmulationError(
                f"{failure} within {_END_TIMEOUT_S:.0f} s; find the process that still uses it, and end it"
            )
        time.sleep(_POLL_PERIOD_S)
