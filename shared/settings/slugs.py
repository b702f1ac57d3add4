"""Names as parts of topics. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

RESERVED_SLUGS = frozenset({
    "all", "availability", "bridge", "cluster", "event", "frame", "request", "response", "set", "snapshot", "state",
    "stats", "trigger", "zones",
})  # fmt: skip
"""Levels of the public topics with a fixed meaning: no camera, zone or label can have one as its slug."""


@lru_cache(1024)  # asked for the same few labels at every frame
def slug(text: str) -> str:
    """Return `text` as a level of a topic: lower case, and _ for every character but a-z, 0-9, _ and -."""
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())
