"""Replaces environment variables in text: ${NAME}, ${NAME:-default}, and $$ for a dollar. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?P<open>\{))"
)


def substitute(text: str, environment: Mapping[str, str]) -> tuple[str, bool]:
    """Return the text with its variables replaced, and whether it had any. Other dollars stay as they are.

    Raises ValueError, whose message has the form "what is wrong; what to write".
    """
    found = False

    def replacement(match: re.Match[str]) -> str:
        nonlocal found
        if match["dollar"]:
            return "$"
        if match["open"]:
            raise ValueError("${ without a name and }; write ${NAME} or ${NAME:-default}, or $$ for a dollar")
        found = True
        value = environment.get(match["name"])
        if value is None and match["default"] is None:
            raise ValueError(
                f"the environment variable {match['name']} is not set; set it, or write ${{{match['name']}:-default}}"
            )
        # As in a shell, the default behind :- also replaces an empty variable.
        return match["default"] if match["default"] is not None and not value else value or ""

    return VARIABLE.sub(replacement, text), found
