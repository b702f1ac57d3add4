"""Versions of the protocol: the one that this release speaks and those that it understands. Pure.

A new version is first understood by one release, and spoken by the next release. So any two consecutive releases work
together, whichever of them is the gateway; see docs/upgrades.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

PROTOCOL = 5
"""The version that this release speaks. It changes when the meaning of a message changes, but not for a new field,
which other releases ignore."""

UNDERSTOOD_PROTOCOLS = frozenset({5, 6})
"""The versions that this release understands: its own, which the release before speaks, too, and the next one."""

LINK_PROTOCOL = 6
"""From this version on, a gateway confirms tiles and frames by a connection that the edge opens for it."""

MAX_UNDERSTOOD_PROTOCOLS = 16
"""The most versions that a peer can list."""


def compatible(protocol: int, understood: Collection[int]) -> bool:
    """Return whether a peer that speaks `protocol` and also understands `understood` can work with this release."""
    return protocol in UNDERSTOOD_PROTOCOLS and (protocol == PROTOCOL or PROTOCOL in understood)
