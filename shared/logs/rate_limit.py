"""A rate limit for repeated messages. Pure."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

MAX_LIMITED_KINDS = 256
"""Kinds that are remembered; if there are more, the oldest may be allowed again too soon."""


class RateLimit:
    """Allows one message of each kind within `every_s` seconds."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._allowed_at: OrderedDict[Hashable, float] = OrderedDict()

    def allows(self, kind: Hashable, now: float) -> bool:
        """Return whether a message of this kind is allowed at `now` (monotonic seconds), and remember it if so."""
        allowed_at = self._allowed_at.get(kind)
        if allowed_at is not None and now - allowed_at < self._every_s:
            return False
        self._allowed_at[kind] = now
        self._allowed_at.move_to_end(kind)
        while len(self._allowed_at) > MAX_LIMITED_KINDS:
            self._allowed_at.popitem(last=False)
        return True
