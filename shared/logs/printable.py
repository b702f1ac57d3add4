"""What others wrote, as part of one line of a log."""

from __future__ import annotations

LONGEST_SHOWN = 200
"""Letters; a topic may have 65,535."""


def printable(text: str) -> str:
    """Return the text, shortened, with nothing in it that ends a line or commands a terminal."""
    shown = text[:LONGEST_SHOWN] + ("..." if len(text) > LONGEST_SHOWN else "")
    return shown if shown.isprintable() else repr(shown)
