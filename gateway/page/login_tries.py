"""Limits how often an address may try passwords at the page. Pure; times are monotonic seconds."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

TRIES_AT_ONCE = 10
"""Wrong passwords that an address may try in a row."""

REGAIN_S = 30.0
"""Time after which an address may try once more: at most 2880 times a day."""

MAX_LIMITED_ADDRESSES = 1024
"""Addresses that are remembered; with more, the one with the oldest try is forgotten."""

_IPV6_HOME_BITS = 64
"""Bits of an IPv6 address that all addresses of a household have in common; such addresses count as one."""


class LoginTries:
    """Counts the wrong passwords of each address."""

    def __init__(self) -> None:
        self._forgiven_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, address: str, now: float) -> float:
        """Return how many seconds an address must wait before it may try again; 0 if it need not wait."""
        owed = self._forgiven_at.get(_limited_address(address), now) - now
        return max(0.0, owed - (TRIES_AT_ONCE - 1) * REGAIN_S)

    def begin(self, address: str, now: float) -> None:
        """Count a try before its password is checked, because many tries may be under way at once."""
        home = _limited_address(address)
        self._forgiven_at[home] = max(now, self._forgiven_at.get(home, now)) + REGAIN_S
        self._forgiven_at.move_to_end(home)
        while len(self._forgiven_at) > MAX_LIMITED_ADDRESSES:
            self._forgiven_at.popitem(last=False)

    def take_back(self, address: str, now: float) -> None:
        """Take back the last try, because its password was right. Earlier wrong ones stay counted."""
        home = _limited_address(address)
        if (left := self._forgiven_at.pop(home, now) - REGAIN_S) > now:
            self._forgiven_at[home] = left


def _limited_address(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), _IPV6_HOME_BITS), strict=False))
    return str(found)
