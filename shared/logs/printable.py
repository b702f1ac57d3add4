"""What others wrote, as part of one line of a log."""

from __future__ import annotations

MAX_PRINTABLE_LENGTH = 200
"""Letters; a topic may have 65,535."""


def printable(text: str) -> str:
    """Return the text, shortened, with nothing in it that ends a line or commands a terminal."""
    shown = text[:MAX_PRINTABLE_LENGTH] + ("..." if len(text) > MAX_PRINTABLE_LENGTH else "")
    return shown if shown.isprintable() else repr(shown)
