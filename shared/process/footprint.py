"""Memory of processes, with shared pages divided among the processes that share them (Linux)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory of a process: its proportional set size, and its private memory.

    In `pss_bytes` a page that n processes share counts as 1/n, in `own_bytes` it does not count.
    """

    pss_bytes: int
    own_bytes: int


def read_footprint(process: int) -> Footprint:
    """Return the memory of a process. Raises OSError when it has ended."""
    return parse_footprint(Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii"))


def parse_footprint(rollup: str) -> Footprint:
    """Parse the text of /proc/PID/smaps_rollup, see proc(5)."""
    lines = (line.split() for line in rollup.splitlines())
    sizes = {words[0]: int(words[1]) * 1024 for words in lines if len(words) == 3 and words[2] == "kB"}
    return Footprint(sizes["Pss:"], sizes["Private_Clean:"] + sizes["Private_Dirty:"])


def allocated_memory(process: int) -> int | None:
    """Return the bytes that a process has allocated, whether it has used them or not; None where this is not known.

    The result is 0 for a process that has ended, even before its parent has read its exit code.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return 0 if Path("/proc/self/status").exists() else None
    except OSError:
        return None
    sizes = {words[0]: int(words[1]) * 1024 for line in lines if len(words := line.split()) == 3 and words[2] == "kB"}
    return sizes.get("VmData:", 0)


def child_processes(process: int) -> list[int]:
    """Return the IDs of the child processes of all threads of a process; none when it has ended."""
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):  # this thread has ended meanwhile
                children.extend(int(word) for word in (task / "children").read_text(encoding="ascii").split())
    return children


def descendants(process: int) -> list[int]:
    """Return the IDs of the children of a process and of their children, parents first."""
    found: list[int] = []
    for child in child_processes(process):
        found += [child, *descendants(child)]
    return found


def short_name(process: int) -> str:
    """Return the name that a process has in `ps`, at most 15 characters. Raises OSError when it has ended."""
    return Path(f"/proc/{process}/comm").read_text(encoding="utf-8", errors="replace").rstrip("\n")
