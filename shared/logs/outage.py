"""What is logged of something that is tried again and again: each reason once, until it works. Pure."""

from __future__ import annotations

import logging

MAX_OUTAGE_REASONS = 8
"""Reasons of one outage that are told; a network that ends or comes back gives three or four."""


class Outage:
    """Remembers why something does not work at the moment. A card, and who reads the log, are spared the rest."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def level(self, reason: str) -> int:
        """Return the level at which one more failure is logged: as a warning, when its reason is new."""
        if reason in self._told or len(self._told) >= MAX_OUTAGE_REASONS:
            return logging.DEBUG
        self._told.add(reason)
        return logging.WARNING

    def note_success(self) -> bool:
        """Note that it works; return whether it did not before."""
        failed = bool(self._told)
        self._told.clear()
        return failed
