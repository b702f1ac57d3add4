"""Peers without keys, and those that were refused: remembered for a while, for people to see. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_VISITORS = 32
"""Addresses of each kind that are remembered; a stranger with many of them must not fill the memory."""

VISITOR_TTL_S = 600.0
"""A peer that has not come back for this long has joined, or is gone."""


@dataclass(slots=True)
class _Visit:
    at: float
    text: str


class Visitors:
    """Records visits by address. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._plain: OrderedDict[str, _Visit] = OrderedDict()
        self._refused: OrderedDict[str, _Visit] = OrderedDict()

    def note_plain(self, host: str, now: float, name: str = "") -> bool:
        """Note a peer without keys that takes part, and its name when it is known; return whether it is new."""
        known = self._plain.get(host)
        new = known is None or now - known.at > VISITOR_TTL_S or (bool(name) and known.text != name)
        _note(self._plain, host, now, name or (known.text if known is not None else ""))
        return new

    def note_refused(self, host: str, now: float, reason: str) -> None:
        """Note a peer that was refused; `reason` is a sentence."""
        _note(self._refused, host, now, reason)

    def plain(self, now: float) -> dict[str, str]:
        """Return the peers without keys that take part: their names by address, empty where not known."""
        return {host: visit.text for host, visit in self._plain.items() if now - visit.at <= VISITOR_TTL_S}

    def refused(self, now: float) -> dict[str, str]:
        """Return the peers that were refused lately: the reason by address."""
        return {host: visit.text for host, visit in self._refused.items() if now - visit.at <= VISITOR_TTL_S}


def _note(visits: OrderedDict[str, _Visit], host: str, now: float, text: str) -> None:
    visits[host] = _Visit(now, text)
    visits.move_to_end(host)
    if len(visits) > MAX_VISITORS:
        visits.popitem(last=False)
