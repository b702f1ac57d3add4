"""Addresses of peers that this process could not reach of late, and why. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_UNREACHED_ADDRESSES = 16
"""Addresses that are remembered: who cannot reach so many has one cause for all."""

UNREACHED_TTL_S = 120.0
"""An address that nobody has tried for so long may be another peer's by now, or work."""


@dataclass(frozen=True, slots=True)
class UnreachedAddress:
    host: str
    port: int
    reason: str


class UnreachedAddresses:
    """Enters attempts as they end. Time is monotonic seconds."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()

    def record_failure(self, host: str, port: int, reason: str, now: float) -> None:
        """Enter an attempt that failed for this `reason`, the end of a sentence."""
        self._failures[host, port] = now, reason
        self._failures.move_to_end((host, port))
        if len(self._failures) > MAX_UNREACHED_ADDRESSES:
            self._failures.popitem(last=False)

    def record_success(self, host: str, port: int) -> None:
        """Enter an attempt that succeeded."""
        self._failures.pop((host, port), None)

    def recent(self, now: float) -> tuple[UnreachedAddress, ...]:
        """Return the addresses that could not be reached, in the order of hosts and ports."""
        return tuple(
            UnreachedAddress(host, port, why)
            for (host, port), (at, why) in sorted(self._failures.items())
            if now - at < UNREACHED_TTL_S
        )
