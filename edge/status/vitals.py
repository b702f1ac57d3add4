"""Reads the load and the temperature of the device."""

from __future__ import annotations

from pathlib import Path

THERMAL_FOLDER = Path("/sys/class/thermal")
"""Linux's thermal zones; a Raspberry Pi has one, of its processor."""

CPU_STATISTICS_FILE = Path("/proc/stat")
"""Linux's counters of CPU time."""


class CpuShare:
    """Measures the share of CPU time that was used between two calls."""

    def __init__(self, statistics: Path = CPU_STATISTICS_FILE) -> None:
        self._statistics = statistics
        self._before = self._read()
        self._share: float | None = None

    def share_since_last(self) -> float | None:
        """Return 0 to 1 (all cores busy) since the last call; None if the system does not count it."""
        before, now = self._before, self._read()
        self._before = now
        if before is None or now is None:
            self._share = None
        elif now[1] > before[1]:  # otherwise two calls within one tick
            self._share = round(min(1.0, max(0.0, (now[0] - before[0]) / (now[1] - before[1]))), 2)
        return self._share

    def _read(self) -> tuple[int, int] | None:
        """Return the busy and the total ticks of all cores (proc(5), first line of stat)."""
        try:
            ticks = [int(word) for word in self._statistics.read_text().partition("\n")[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        if len(ticks) < 5:
            return None
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def temperature(thermal: Path = THERMAL_FOLDER) -> float | None:
    """Return the temperature of the warmest zone, in degrees Celsius; None if there is no zone."""
    readings = []
    for zone in sorted(thermal.glob("thermal_zone*/temp")):
        try:
            readings.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return round(max(readings), 1) if readings else None
