"""Names as parts of topics. Pure."""

from __future__ import annotations

import re

RESERVED_SLUGS = frozenset({
    "all", "availability", "bridge", "cluster", "event", "frame", "request", "response", "set", "snapshot", "state",
    "stats", "trigger", "zones",
})  # fmt: skip
"""Levels of the public topics with a meaning of their own: no camera, zone or label may have one as its slug."""


def slug(text: str) -> str:
    """`text` as a part of a topic: lower case, everything but a-z, 0-9, _ and - becomes _."""
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())
