"""Addresses of peers that this process could not reach recently, with reasons. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_UNREACHED_ADDRESSES = 16
"""At most this many addresses are kept; if more cannot be reached, all have the same cause."""

UNREACHED_TTL_S = 120.0
"""Failures are dropped after this time: the peer may work again, or have another address."""


@dataclass(frozen=True, slots=True)
class UnreachedAddress:
    host: str
    port: int
    reason: str


class UnreachedAddresses:
    """Records failed and successful attempts to connect. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, int], tuple[float, str]] = OrderedDict()

    def record_failure(self, host: str, port: int, reason: str, now: float) -> None:
        """Record a failed attempt; `reason` is the end of a sentence."""
        self._failures[host, port] = now, reason
        self._failures.move_to_end((host, port))
        if len(self._failures) > MAX_UNREACHED_ADDRESSES:
            self._failures.popitem(last=False)

    def record_success(self, host: str, port: int) -> None:
        """Record a successful attempt."""
        self._failures.pop((host, port), None)

    def recent(self, now: float) -> tuple[UnreachedAddress, ...]:
        """Return the addresses that could not be reached, sorted by host and port."""
        return tuple(
            UnreachedAddress(host, port, why)
            for (host, port), (at, why) in sorted(self._failures.items())
            if now - at < UNREACHED_TTL_S
        )
