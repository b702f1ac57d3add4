"""Addresses of peers that this process could not reach of late, and why. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

UNREACHED_CAP = 16
"""Addresses that are remembered: who cannot reach so many has one cause for all."""

FORGOTTEN_S = 120.0
"""An address that nobody has tried for so long may be another peer's by now, or work."""


@dataclass(frozen=True, slots=True)
class UnreachedAddress:
    host: str
    port: int
    reason: str


class Unreached:
    """Enters attempts as they end. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()

    def failed(self, host: str, port: int, reason: str, now: float) -> None:
        """Enter an attempt that failed for this `reason`, the end of a sentence."""
        self._failures[host, port] = now, reason
        self._failures.move_to_end((host, port))
        if len(self._failures) > UNREACHED_CAP:
            self._failures.popitem(last=False)

    def reached(self, host: str, port: int) -> None:
        """Enter an attempt that succeeded."""
        self._failures.pop((host, port), None)

    def at(self, now: float) -> tuple[UnreachedAddress, ...]:
        """Return the addresses that could not be reached, in the order of hosts and ports."""
        return tuple(
            UnreachedAddress(host, port, why)
            for (host, port), (at, why) in sorted(self._failures.items())
            if now - at < FORGOTTEN_S
        )
