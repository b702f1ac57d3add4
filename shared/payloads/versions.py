"""Versions of the protocol: what this release says and what it understands. Pure.

A version is understood by one release and said by the next one only. So two releases that follow each other work
together, whichever of them is at the gateway, and edges of both among themselves: docs/upgrades.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

PROTOCOL = 5
"""What this release says. Another one says more when a message has changed its meaning; not when a field was added,
which others ignore."""

UNDERSTOOD_PROTOCOLS = frozenset({5})
"""What it understands: what it says itself, what the release before said, and what the next one is going to say."""

MAX_UNDERSTOOD_PROTOCOLS = 16
"""Versions that a peer names at the most."""


def compatible(protocol: int, understood: Collection[int]) -> bool:
    """Return whether a peer that says `protocol`, and understands that and `understood`, can work with this release."""
    return protocol in UNDERSTOOD_PROTOCOLS and (protocol == PROTOCOL or PROTOCOL in understood)
