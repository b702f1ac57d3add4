"""Quotes words of the file in messages, but nothing that may be a password. Pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SUGGESTIONS = 12
"""Words that a message lists; nobody reads longer lists."""

MAX_QUOTED_LENGTH = 40
"""Characters of a word in a message; longer text may be a password."""


def is_quotable(text: str) -> bool:
    """Return whether a message may quote a text: it is short and no address, so that it is probably not a password."""
    return len(text) <= MAX_QUOTED_LENGTH and "@" not in text and "://" not in text


def quote_word(text: str) -> str:
    """Return a text in quotes for a message; "this" if it may be a password."""
    return repr(text) if is_quotable(text) else "this"


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the second half of a message: the known word that is most similar, else a list of all known words."""
    known = [candidate for candidate in known if is_quotable(candidate)]
    near = get_close_matches(word.lower(), [candidate.lower() for candidate in known], 1, 0.6)
    if near:
        return f"did you mean {next(candidate for candidate in known if candidate.lower() == near[0])!r}?"
    if not known:
        return "there are none"
    more = f" and {len(known) - MAX_SUGGESTIONS} more" if len(known) > MAX_SUGGESTIONS else ""
    return f"known: {', '.join(known[:MAX_SUGGESTIONS])}{more}"
