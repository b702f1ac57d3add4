"""Connections that the gateway's own broker refused, read from its log. Pure.

Mosquitto says that a client was not authorised, but not always which one: then it is the one that connected last.
"""

from __future__ import annotations

import re

REFUSED_PERIOD_S = 600.0
"""A refused device is a problem for this long after its last attempt; it tries again every half a minute at least."""

MAX_REFUSED_ADDRESSES = 20
"""Addresses that are remembered; more would not be read."""

_NOTICES = (
    re.compile(r"New connection from (?P<host>[0-9a-fA-F.:]+):\d+ on port (?P<port>\d+)"),
    re.compile(r"Client .* disconnected[,:] not authori[sz]ed"),
    re.compile(r"New client connected|Client .* (disconnected(?!.*memory)|negotiated|closed its conn|has exceeded)"),
    re.compile(r"mosquitto version \S+ (starting|running|terminating)|Config loaded|Opening ipv[46] listen"),
    re.compile(r"Plugin builtin-security|Client connection from \S+ failed|OpenSSL Error"),
)
_CONNECTED, _REFUSED = _NOTICES[:2]


class RefusedConnections:
    """Reads lines of the log, and knows who was refused."""

    def __init__(self) -> None:
        self._last: tuple[str, int] = ("", 0)
        self._refused: dict[tuple[str, int], float] = {}

    def on_line(self, line: str, now: float) -> bool:
        """Read a line at `now`, in monotonic seconds; return whether it is a notice that nobody else needs."""
        if match := _CONNECTED.search(line):
            self._last = match["host"], int(match["port"])
        elif _REFUSED.search(line) and self._last[0]:
            self._refused.pop(self._last, None)  # the newest are at the end
            self._refused[self._last] = now
            while len(self._refused) > MAX_REFUSED_ADDRESSES:
                del self._refused[next(iter(self._refused))]
        return any(notice.search(line) for notice in _NOTICES)

    def addresses(self, ports: frozenset[int], now: float) -> list[str]:
        """Return the hosts that were refused lately at one of these ports, sorted."""
        return sorted({
            host for (host, port), at in self._refused.items() if port in ports and now - at < REFUSED_PERIOD_S
        })  # fmt: skip
