"""CPU time and proportional memory of a process and its children, as Linux counts them."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def process_tree(pid: int) -> list[int]:
    """Return a process and all processes below it; the first is the process itself."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        fields = _fields(stat)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def tree_cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and those below it, also of ended ones that were waited for."""
    return sum(cpu_seconds_in(_fields(PROC / str(each) / "stat")) for each in process_tree(pid))


def machine_cpu_seconds() -> float:
    """Return the CPU time that all programs of this machine have used so far."""
    return busy_seconds_in((PROC / "stat").read_text(encoding="ascii", errors="replace"))


def busy_seconds_in(stat: str) -> float:
    """Read the text of /proc/stat: user, nice, system, interrupts of both kinds."""
    ticks = [int(field) for field in stat.split("\n", 1)[0].split()[1:]]
    return (sum(ticks[:3]) + sum(ticks[5:7])) / _TICKS_PER_S


def proportional_bytes(pid: int) -> int:
    """Return the memory of a process, of which a shared page counts in part; 0 when it has ended."""
    try:
        return proportional_in((PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return 0


def proportional_in(rollup: str) -> int:
    """Read the text of smaps_rollup."""
    sizes = [line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")]
    return int(sizes[0]) * 1024 if sizes else 0


def cpu_seconds_in(fields: list[str]) -> float:
    """Read the fields of /proc/PID/stat behind the name: own time in both modes, and that of ended children."""
    return sum(map(int, fields[11:15])) / _TICKS_PER_S if fields else 0.0


def _fields(stat: Path) -> list[str]:
    try:
        return stat.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return []
