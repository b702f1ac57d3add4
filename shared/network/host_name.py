"""The default name of an edge, from its host name."""

from __future__ import annotations

import re
import socket


def default_edge_name() -> str:
    """Return the first part of the host name in lower case, with the characters replaced that names must not have."""
    return re.sub(r"[^a-z0-9_-]", "-", socket.gethostname().split(".")[0].lower()).strip("-_")[:63] or "edge"
