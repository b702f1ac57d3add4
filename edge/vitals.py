"""How the device itself is: its load, its temperature, how much it computes."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

THERMAL = Path("/sys/class/thermal")
"""Where Linux has its thermal zones; on a Raspberry Pi the only one is the processor's."""

RATE_S = 10.0
"""What "of late" is for the rate of tiles: several frames' worth, on slow devices too."""


def load() -> float | None:
    """The load of the last minute as part of all cores; None where the system does not tell."""
    try:
        return round(os.getloadavg()[0] / (os.cpu_count() or 1), 2)
    except OSError:
        return None


def temperature(thermal: Path = THERMAL) -> float | None:
    """The warmest zone, in degrees Celsius; None where there is none."""
    readings = []
    for zone in sorted(thermal.glob("thermal_zone*/temp")):
        try:
            readings.append(int(zone.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return round(max(readings), 1) if readings else None


class TileRate:
    """Tiles that a device computes, by second, of late. Time is monotonic seconds, given by the caller."""

    def __init__(self) -> None:
        self._counted: deque[tuple[float, int]] = deque()

    def at(self, now: float, tiles: int) -> float:
        """The rate when so many tiles have been computed in all."""
        self._counted.append((now, tiles))
        while len(self._counted) > 2 and now - self._counted[1][0] >= RATE_S:
            self._counted.popleft()
        begun, before = self._counted[0]
        return round((tiles - before) / (now - begun), 1) if now > begun else 0.0
