"""The log policy of an operation that is retried: each reason of failure is logged once, until it works. Pure."""

from __future__ import annotations

import logging

MAX_OUTAGE_REASONS = 8
"""At most this many reasons of one outage are logged; when a network fails or returns, there are three or four."""


class Outage:
    """Remembers the reasons of the current outage, so that repeated failures do not fill the log."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def level(self, reason: str) -> int:
        """Return the level for logging a failure: WARNING if its reason is new in this outage."""
        if reason in self._logged or len(self._logged) >= MAX_OUTAGE_REASONS:
            return logging.DEBUG
        self._logged.add(reason)
        return logging.WARNING

    def note_success(self) -> bool:
        """Record that the operation works; return whether this ends an outage."""
        failed = bool(self._logged)
        self._logged.clear()
        return failed
