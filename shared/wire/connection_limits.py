"""Limits of the connections of a server. Pure."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING

from shared.network.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Hashable

    from shared.security.member_list import Member

MAX_CONNECTIONS = 256
"""Connections at the same time; a cluster of 60 nodes and 60 cameras needs fewer."""

MAX_UNKNOWN = 64
"""Connections of peers that have not identified themselves yet. All others are reserved for identified peers, so that
strangers cannot use them up."""

MAX_UNKNOWN_PER_HOST = 8
"""Connections of unidentified peers at one address; an edge opens four at the same time when it starts."""

MAX_PER_MEMBER = 16
"""Connections of one member: for results, strips, programs and settings, some of which are being replaced."""

MAX_PLAIN_PER_HOST = 32
"""Connections without keys of one other machine, which may run an edge and the agents of some cameras."""


MAX_REFUSALS, REFUSALS_WITHIN_S = 30, 60.0
"""After this many refused connections of another machine within this time, further ones are closed without a handshake,
which takes a device milliseconds. An edge without keys that tries again and again makes fewer attempts."""

MAX_REFUSED_HOSTS = 256
"""Addresses whose refusals are counted; MAX_UNKNOWN limits a stranger with more addresses."""


class ConnectionLimits:
    """Counts connections. A reason is empty if another connection is allowed. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._refused_at: OrderedDict[str, deque[float]] = OrderedDict()
        self._count = self._unknown = 0
        self._by_holder: Counter[Hashable] = Counter()
        self._host_of: dict[Member, str] = {}

    def note_refused(self, host: str, now: float) -> None:
        """Note that a peer at this address was refused."""
        self._refused_at.setdefault(host, deque(maxlen=MAX_REFUSALS)).append(now)
        self._refused_at.move_to_end(host)
        if len(self._refused_at) > MAX_REFUSED_HOSTS:
            self._refused_at.popitem(last=False)

    def refuse_unknown(self, host: str, now: float) -> str:
        """Return the reason why a new connection from this address is refused; empty: it is counted as unknown."""
        refused = self._refused_at.get(host, deque())
        if len(refused) == MAX_REFUSALS and now - refused[0] < REFUSALS_WITHIN_S and not is_loopback(host):
            return f"{MAX_REFUSALS} of this address were refused within a minute"
        if self._count >= MAX_CONNECTIONS:
            return f"{MAX_CONNECTIONS} are open already"
        if self._unknown >= MAX_UNKNOWN:
            return f"{MAX_UNKNOWN} wait already that have not shown who they are"
        if self._by_holder["unknown", host] >= MAX_UNKNOWN_PER_HOST and not is_loopback(host):
            return f"{MAX_UNKNOWN_PER_HOST} of this address wait already that have not shown who they are"
        self._count += 1
        self._unknown += 1
        self._by_holder["unknown", host] += 1
        return ""

    def release_unknown(self, host: str) -> None:
        """Stop counting a connection as unknown: it has ended, or refuse_plain or refuse_member counts it."""
        self._count -= 1
        self._unknown -= 1
        self._release(("unknown", host))

    def refuse_plain(self, host: str) -> str:
        """Return the reason why a peer without keys is refused; empty: its connection is counted."""
        if self._by_holder["plain", host] >= MAX_PLAIN_PER_HOST and not is_loopback(host):
            return f"{MAX_PLAIN_PER_HOST} connections of this address are open already"
        self._count += 1
        self._by_holder["plain", host] += 1
        return ""

    def release_plain(self, host: str) -> None:
        """Note the end of a connection of a peer without keys."""
        self._count -= 1
        self._release(("plain", host))

    def refuse_member(self, member: Member, host: str) -> str:
        """Return the reason why a member is refused; empty: its connection is counted.

        A member must have one address at a time, because a second device with the same key is a copy.
        """
        if self._by_holder[member] >= MAX_PER_MEMBER:
            return f"{MAX_PER_MEMBER} connections of {member} are open already"
        before = self._host_of.get(member, host)
        if before != host:
            return (
                f"{member} is connected from {before} already: if this is another device, its card or its folder of "
                "keys is a copy; remove that folder, and join with a name of its own"
            )
        self._count += 1
        self._by_holder[member] += 1
        self._host_of[member] = host
        return ""

    def release_member(self, member: Member) -> None:
        """Note the end of a connection of a member."""
        self._count -= 1
        self._release(member)
        if member not in self._by_holder:
            self._host_of.pop(member, None)

    def _release(self, holder: Hashable) -> None:
        self._by_holder[holder] -= 1
        if not self._by_holder[holder]:
            del self._by_holder[holder]
