"""Peers without keys and refused peers, remembered for a while so that people can see them. Pure."""

from __future__ import annotations

from collections import OrderedDict

MAX_VISITORS = 32
"""Addresses of each kind that are remembered; a stranger with many addresses must not fill the memory."""

VISITOR_TTL_S = 600.0
"""A peer that has not come back for this time has joined, or is gone."""


class Visitors:
    """Records visits by address. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._plain: OrderedDict[str, tuple[float, str]] = OrderedDict()
        self._refused: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def note_plain(self, host: str, now: float) -> bool:
        """Note a peer without keys that takes part; return whether it is new."""
        new = host not in self._recent(self._plain, now)
        _note(self._plain, host, now, "")
        return new

    def note_refused(self, host: str, now: float, reason: str) -> None:
        """Note a peer that was refused; `reason` is the end of a sentence."""
        _note(self._refused, host, now, reason)

    def problems(self, now: float) -> list[str]:
        """Return a line for each peer that was refused within VISITOR_TTL_S, with the reason."""
        return [f"{host} was refused: {reason}" for host, reason in self.refused(now).items()]

    def refused(self, now: float) -> dict[str, str]:
        """Return the reasons, as ends of sentences, by address of the peers that were refused within VISITOR_TTL_S."""
        return self._recent(self._refused, now)

    @staticmethod
    def _recent(visits: OrderedDict[str, tuple[float, str]], now: float) -> dict[str, str]:
        return {host: text for host, (at, text) in visits.items() if now - at <= VISITOR_TTL_S}


def _note(visits: OrderedDict[str, tuple[float, str]], host: str, now: float, text: str) -> None:
    visits[host] = now, text
    visits.move_to_end(host)
    if len(visits) > MAX_VISITORS:
        visits.popitem(last=False)
