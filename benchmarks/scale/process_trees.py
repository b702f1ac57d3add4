"""CPU time and proportional memory of a process and its children, as Linux counts them."""

from __future__ import annotations

import os
from pathlib import Path

from shared.process.footprint import descendants

PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def process_tree(pid: int) -> list[int]:
    """Return the IDs of a process and of all its descendants; the first is the process itself."""
    return [pid, *descendants(pid)]


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its descendants, in seconds. Those that have ended count as well."""
    return sum(cpu_seconds_in(_fields(PROC / str(each) / "stat")) for each in process_tree(pid))


def machine_cpu_seconds() -> float:
    """Return the CPU time that all programs of this machine have used so far, in seconds."""
    return busy_seconds_in((PROC / "stat").read_text(encoding="ascii", errors="replace"))


def busy_seconds_in(stat: str) -> float:
    """Return the seconds that the cores were busy, from the text of /proc/stat: user, nice, system and interrupts."""
    ticks = [int(field) for field in stat.split("\n", 1)[0].split()[1:]]
    return (sum(ticks[:3]) + sum(ticks[5:7])) / _TICKS_PER_S


def proportional_bytes(pid: int) -> int:
    """Return the proportional memory of a process, in bytes; 0 when it has ended."""
    try:
        return proportional_in((PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return 0


def proportional_in(rollup: str) -> int:
    """Return the proportional memory in bytes, from the text of /proc/PID/smaps_rollup; 0 if it is empty."""
    sizes = [line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")]
    return int(sizes[0]) * 1024 if sizes else 0


def cpu_seconds_in(fields: list[str]) -> float:
    """Return the CPU time in seconds, from the fields of /proc/PID/stat that follow the name.

    These are the process's own time in user and system mode, and that of ended children.
    """
    return sum(map(int, fields[11:15])) / _TICKS_PER_S if fields else 0.0


def _fields(stat: Path) -> list[str]:
    try:
        return stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:  # the process has ended
        return []
