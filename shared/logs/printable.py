"""Text from other programs, made safe for one line of a log."""

from __future__ import annotations

MAX_PRINTABLE_LENGTH = 200
"""Characters of a text that are shown; a topic may have 65,535."""


def printable(text: str) -> str:
    """Return the text, shortened, and escaped if it contains line breaks or control characters."""
    shown = text[:MAX_PRINTABLE_LENGTH] + ("..." if len(text) > MAX_PRINTABLE_LENGTH else "")
    return shown if shown.isprintable() else repr(shown)
