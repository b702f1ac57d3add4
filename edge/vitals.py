"""How the device itself is: its load and its temperature."""

from __future__ import annotations

import os
from pathlib import Path

THERMAL = Path("/sys/class/thermal")
"""Where Linux has its thermal zones; on a Raspberry Pi the only one is the processor's."""


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
