"""Connections that the gateway's own broker refused, and the users of others, read from its log. Pure.

Mosquitto 2.1 says who was not authorised, 2.0 does not: then it is the last one that has connected and not logged in.
"""

from __future__ import annotations

import re
from typing import Any

REFUSED_PERIOD_S = 600.0
"""A refused device is a problem for this long after its last attempt; it tries again every half a minute at least."""

MAX_REFUSED_ADDRESSES = 20
"""Addresses that are remembered; more would not be read."""

MAX_OPEN_CONNECTIONS = 100
"""Connections without an answer that are remembered; Mosquitto answers at once."""

MAX_SESSIONS = 1000
"""Connections whose users are remembered: more than all listeners take at once."""

_NOTICES = (
    re.compile(r"New connection from (?P<peer>[0-9a-fA-F.:]+:\d+) on port (?P<port>\d+)"),
    re.compile(r"Client (\S+ \[(?P<peer>[0-9a-fA-F.:]+:\d+)\]|.*) disconnected[,:] not authori[sz]ed"),
    re.compile(r"New client connected from (?P<peer>[0-9a-fA-F.:]+:\d+) (as .*u'(?P<user>[^']*)')?"),
    re.compile(r"Client .* (disconnected(?!.*memory)|negotiated|closed its conn|has exceeded)"),
    re.compile(r"mosquitto version \S+ (starting|running|terminating)|Config loaded|Opening ipv[46] listen"),
    re.compile(r"Plugin builtin-security|Client connection from \S+ failed|OpenSSL Error|Info: "),
)
_CONNECTED, _REFUSED, _LOGGED_IN = _NOTICES[:3]


class RefusedConnections:
    """Reads lines of the log, and knows who was refused."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._users: dict[str, str] = {}
        self._refused: dict[tuple[str, int], float] = {}

    def on_line(self, line: str, now: float) -> bool:
        """Read a line at `now`, in monotonic seconds; return whether it is a notice that nobody else needs."""
        if match := _CONNECTED.search(line):
            self._open[match["peer"]] = int(match["port"])
            _keep_last(self._open, MAX_OPEN_CONNECTIONS)
        elif match := _REFUSED.search(line):
            self._note_refused(match["peer"] or next(reversed(self._open), ""), now)
        elif match := _LOGGED_IN.search(line):
            self._open.pop(match["peer"], None)
            self._users.pop(match["peer"], None)
            self._users[match["peer"]] = match["user"] or ""
            _keep_last(self._users, MAX_SESSIONS)
        return any(notice.search(line) for notice in _NOTICES)

    def user_of(self, peer: str) -> str:
        """Return the user that logged in from HOST:PORT; "" if that is not known."""
        return self._users.get(peer, "")

    def _note_refused(self, peer: str, now: float) -> None:
        port = self._open.pop(peer, None)
        if port is None:
            return
        key = peer.rpartition(":")[0], port
        self._refused.pop(key, None)  # the newest are at the end
        self._refused[key] = now
        _keep_last(self._refused, MAX_REFUSED_ADDRESSES)

    def addresses(self, ports: frozenset[int], now: float) -> list[str]:
        """Return the hosts that were refused lately at one of these ports, sorted."""
        return sorted({
            host for (host, port), at in self._refused.items() if port in ports and now - at < REFUSED_PERIOD_S
        })  # fmt: skip


def _keep_last(entries: dict[Any, Any], count: int) -> None:
    while len(entries) > count:
        del entries[next(iter(entries))]
