"""Remembers how long before it is needed something must be asked for, pure: a frame of a camera, or another node's."""

from __future__ import annotations

from collections import deque
from statistics import median

FIRST_LEAD_S = 0.05
"""Assumed time from a request until what was asked for is here, before the first one is measured."""

LEAD_MARGIN = 1.25
"""An answer that comes late lets the device idle, one that comes early only waits a little."""

MAX_LEAD_S = 1.0
"""A request that takes longer waited for something else: there was nothing to send yet."""

_LEADS = 15
"""Recent requests, whose median is expected."""


class LeadTime:
    """The time from requests to answers."""

    def __init__(self) -> None:
        self._leads: deque[float] = deque(maxlen=_LEADS)
        self.seconds = LEAD_MARGIN * FIRST_LEAD_S
        """The time before it is needed at which the next one is asked for."""

    def add(self, seconds: float) -> None:
        """Note the time from a request until what was asked for was here."""
        if seconds <= MAX_LEAD_S:
            self._leads.append(seconds)
            self.seconds = LEAD_MARGIN * median(self._leads)
