"""How the device itself is: its load and its temperature."""

from __future__ import annotations

from pathlib import Path

THERMAL_FOLDER = Path("/sys/class/thermal")
"""Where Linux has its thermal zones; on a Raspberry Pi the only one is the processor's."""

CPU_STATISTICS_FILE = Path("/proc/stat")
"""Where Linux counts what its cores do."""


class CpuShare:
    """How busy the device is: the share of its cores that worked since it was asked last."""

    def __init__(self, statistics: Path = CPU_STATISTICS_FILE) -> None:
        self._statistics = statistics
        self._before = self._read()
        self._share: float | None = None

    def share_since_last(self) -> float | None:
        """Return 0 to 1, 1 being all cores; None where the system does not tell."""
        before, now = self._before, self._read()
        self._before = now
        if before is None or now is None:
            self._share = None
        elif now[1] > before[1]:  # else it was asked twice within a tick
            self._share = round(min(1.0, max(0.0, (now[0] - before[0]) / (now[1] - before[1]))), 2)
        return self._share

    def _read(self) -> tuple[int, int] | None:
        """Return the ticks that all cores have worked, and all that there were (proc(5), first line of stat)."""
        try:
            ticks = [int(word) for word in self._statistics.read_text().partition("\n")[0].split()[1:9]]
        except (OSError, ValueError):
            return None
        if len(ticks) < 5:
            return None
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def temperature(thermal: Path = THERMAL_FOLDER) -> float | None:
    """The warmest zone, in degrees Celsius; None where there is none."""
    readings = []
    for zone in sorted(thermal.glob("thermal_zone*/temp")):
        try:
            readings.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return round(max(readings), 1) if readings else None
