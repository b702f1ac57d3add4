"""Finds refused connections, and the users of the others, in the log of the gateway's own broker. Pure.

Mosquitto 2.1 logs the address of a refused client. Mosquitto 2.0 does not: then the client is the last one that has
connected without logging in.
"""

from __future__ import annotations

import re
from typing import Any

REFUSED_PERIOD_S = 600.0
"""A refused device is reported for this long after its last attempt; it repeats these at least twice a minute."""

MAX_REFUSED_ADDRESSES = 20
"""Refused addresses that are remembered; nobody would read a longer list."""

MAX_OPEN_CONNECTIONS = 100
"""Connections that are remembered until Mosquitto has accepted or refused them, which it does at once."""

MAX_SESSIONS = 1000
"""Connections whose users are remembered: more than all listeners together accept."""

_NOTICES = (
    re.compile(r"New connection from (?P<peer>[0-9a-fA-F.:]+:\d+) on port (?P<port>\d+)"),
    re.compile(r"Client (\S+ \[(?P<peer>[0-9a-fA-F.:]+:\d+)\]|.*) disconnected[,:] not authori[sz]ed"),
    re.compile(r"New client connected from (?P<peer>[0-9a-fA-F.:]+:\d+) (as .*u'(?P<user>[^']*)')?"),
    re.compile(r"Client .* (disconnected(?!.*memory)|negotiated|closed its conn|has exceeded)"),
    re.compile(r"mosquitto version \S+ (starting|running|terminating)|Config loaded|Opening ipv[46] listen"),
    re.compile(r"Plugin builtin-security|Client connection from \S+ failed|OpenSSL Error|Info: "),
)
"""Lines of Mosquitto's log that are not logged again as warnings. The first three tell who connects."""

_CONNECTED, _REFUSED, _LOGGED_IN = _NOTICES[:3]


class RefusedConnections:
    """Reads lines of the log, and knows who was refused."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._users: dict[str, str] = {}
        self._refused: dict[tuple[str, int], float] = {}
        self._own: dict[str, None] = {}

    def on_line(self, line: str, now: float) -> bool:
        """Read a line of the log at `now` (monotonic seconds); return whether it is a notice, and no warning."""
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

    def expect(self, peer: str) -> None:
        """Ignore the refusal of the connection from `peer`, HOST:PORT: the gateway itself makes it, as a check."""
        self._own[peer] = None
        _keep_last(self._own, MAX_OPEN_CONNECTIONS)

    def user_of(self, peer: str) -> str:
        """Return the user that logged in from HOST:PORT; "" if that is not known."""
        return self._users.get(peer, "")

    def _note_refused(self, peer: str, now: float) -> None:
        port = self._open.pop(peer, None)
        if port is None or self._own.pop(peer, peer) is None:
            return
        key = peer.rpartition(":")[0], port
        self._refused.pop(key, None)  # added again at the end, so that the oldest are at the beginning
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
