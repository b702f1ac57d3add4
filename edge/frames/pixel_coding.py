"""Decides which thieves get pixels as PNG: those whose link takes longer for the bytes that it spares. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.wire.link_speed import CODED_SHARE, CODING_S_PER_BYTE, DECODING_SHARE

MIN_CODING_GAIN = 1.25
"""Coding must spare this many times the time that it takes, as it also takes time from computing."""

MAX_CODED_THIEVES = 64
"""Thieves whose link is remembered: more than a frame has tiles."""

CODING_KEPT_S = 600.0
"""Costs and savings of coding are measured again after this time: a scene at night may spare less."""


@dataclass(frozen=True, slots=True)
class _CodingCost:
    """`share`: of the bytes, `s_per_byte`: seconds for each of them; measured at `at`, monotonic seconds."""

    share: float = CODED_SHARE
    s_per_byte: float = CODING_S_PER_BYTE
    at: float = 0.0


class PixelCoding:
    """The speed of links to thieves, and what coding costs here."""

    def __init__(self) -> None:
        self._bytes_per_s: dict[str, float] = {}
        self._cost = _CodingCost()

    def on_transfer(self, thief: str, bytes_per_s: float) -> None:
        """Note how fast pixels came to a thief; 0: they were not sent."""
        if not bytes_per_s:
            return
        self._bytes_per_s.pop(thief, None)  # the dictionary is in the order of last transfers
        self._bytes_per_s[thief] = bytes_per_s
        if len(self._bytes_per_s) > MAX_CODED_THIEVES:
            del self._bytes_per_s[next(iter(self._bytes_per_s))]

    def pays(self, thief: str, now: float) -> bool:
        """Return whether the next pixels for a thief should be coded; never before their first transfer."""
        bytes_per_s = self._bytes_per_s.get(thief)
        if bytes_per_s is None:
            return False
        cost = self._cost if now < self._cost.at + CODING_KEPT_S else _CodingCost()
        spared_s = (1 - cost.share) / bytes_per_s
        return spared_s > MIN_CODING_GAIN * cost.s_per_byte * (1 + DECODING_SHARE)

    def on_coded(self, size: int, coded: int, seconds: float, now: float) -> None:
        """Note that `size` bytes were coded to `coded` ones within these seconds."""
        if size:
            self._cost = _CodingCost(coded / size, seconds / size, now)
